"""The tokens of one logical line, or of one template expression. Brackets, texts, literals, wrong characters.

A logical line ends at a line break outside brackets. A text or bracket that is never closed is reported and closed at
the likeliest place, so that the lines after it keep their meaning. The line is then `spoiled`: what the grammar has
against it is a consequence. Every character that is not white space lies in exactly one token or comment.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flowc.dsl import tokens as words
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.literals import TOO_LARGE, malformed, malformed_pattern, unclosed_pattern
from flowc.dsl.nodes import Comment
from flowc.dsl.source import SourceFile, Span
from flowc.dsl.tokens import Token

__all__ = ["MAX_NESTING", "Lexemes", "scan_expression", "scan_line"]

MAX_NESTING: Final = 32
MAX_OPERATORS: Final = 100  # of one expression: its tree must not be deeper than what walks it can go

LEXEME: Final = re.compile(
    r"""[ ]*(?:
      (?P<WORD>[^\W\d]\w*)
    | (?P<TEXT>"(?!"")(?:[^"\\\n]|\\[^\n])*")
    | (?P<BREAK>\r?\n)
    | (?P<COMMENT>\#[^\n]*)
    | (?P<SIGN>->|==|!=|<=|>=|\.\.|[:,.=|?<>+\-*/])
    | (?P<OPEN>[(\[{])
    | (?P<CLOSE>[)\]}])
    | (?P<DATETIME>\d{4}-\d\d?-\d\d?T\d\d:\d\d(?::\d\d)?(?!\w))
    | (?P<DATE>\d{4}-\d\d?-\d\d?(?!\w))
    | (?P<TIME>\d\d?:\d\d(?!\w))
    | (?P<VERSION>\d+\.\d+\.\d+(?![\w.]))
    | (?P<RATE>\d+/[smhd](?!\w))
    | (?P<PERCENT>\d+%(?!\w))
    | (?P<DURATION>\d+(?:ms|[smhd])(?!\w))
    | (?P<NUMBER>\d+\.\d+(?![\w]|\.\d))
    | (?P<INTEGER>\d+(?!\w|\.\d))
    | (?P<NUMERAL>\d\w*(?:\.\w+)*%?)
    | (?P<BLOCK>\"{3})
    | (?P<END>\Z)
    | (?P<OTHER>.)
    )""",
    re.VERBOSE | re.ASCII,
)
UNICODE_WORD: Final = re.compile(r"[^\W\d]\w*")
PATTERN: Final = re.compile(r"/(?:[^/\\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+/")
BLOCK_END: Final = re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL)
QUOTED: Final = re.compile(r"'(?:[^'\\\n]|\\[^\n])*'")
CURLY: Final = re.compile('[\u201c\u201d\u201e\u201f]([^\u201c\u201d\u201e\u201f"\n]*)([\u201c\u201d"])')

SIGNS: Final[Mapping[str, str]] = {
    "->": "ARROW", ":": "COLON", ",": "COMMA", ".": "DOT", "..": "RANGE", "=": "ASSIGN", "|": "BAR", "?": "OPTIONAL",
    "(": "LPAR", ")": "RPAR", "[": "LSQB", "]": "RSQB", "{": "LBRACE", "}": "RBRACE", "==": "EQUAL", "!=": "UNEQUAL",
    "<": "LESS", "<=": "ATMOST", ">": "MORE", ">=": "ATLEAST", "+": "PLUS", "-": "MINUS", "*": "STAR", "/": "SLASH",
}  # fmt: skip
CLOSER: Final[Mapping[str, str]] = {"(": ")", "[": "]", "{": "}"}
OPERATORS: Final = words.words("or and not in is pii secret + - * / . == != < <= > >=")
METHODS: Final = words.words("GET POST PUT PATCH DELETE HEAD OPTIONS")
NEVER_IN_BRACKETS: Final = words.words("on else set say if")  # reserved everywhere, and no part of a value

# A line that cannot go on inside brackets: an earlier bracket was left open.
STARTERS: Final = "|".join(
    sorted(words.DECLARATIONS | words.STATEMENTS | words.POLICY_LINES | {"flow", "read", "write"})
)
NEW_LINE: Final = re.compile(
    rf"[ \t]*(?:->|(?:on|else|set|say|if)\b"
    rf"|(?:{STARTERS})[ ]+(?!(?:and|or|not|in|is|matching|of)\b)[\"\w]"
    rf"|(?:anywhere|listen|end|resume)[ ]*(?:#[^\n]*)?\n(?!\s*[)\]}},]))"
)

LOOK_ALIKES: Final[Mapping[str, str]] = {
    "\u2192": "->", "\u21d2": "->", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-",
    "\u2212": "-", "\u00d7": "*", "\u00f7": "/", "\u2260": "!=", "\u2264": "<=", "\u2265": ">=", "\u2026": "..",
    "\uff1a": ":", "\uff0c": ",", "\uff08": "(", "\uff09": ")", "\uff1d": "=", "\uff1f": "?", "\uff5c": "|",
    "\uff0e": ".", "\uff0b": "+", "\uff0d": "-", "\uff3b": "[", "\uff3d": "]", "\uff5b": "{", "\uff5d": "}",
}  # fmt: skip
LETTERS: Final = str.maketrans("аеорсухіјѕԁһАВЕКМНОРСТХ", "aeopcyxijsdhABEKMHOPCTX")  # Cyrillic that looks Latin
INVISIBLE: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")


@dataclass(slots=True)
class Open:
    token: Token
    operators: int


@dataclass(slots=True)
class Lexemes:
    """What has been scanned so far. `spoiled` has the index of the first token of each line with a broken structure."""

    source: SourceFile
    tokens: list[Token] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    spoiled: set[int] = field(default_factory=set)

    def span(self, start: int, end: int) -> Span:
        return Span(self.source.path, start, end)

    def add(self, kind: str, start: int, end: int) -> Token:
        token = Token(kind, self.source.text[start:end], self.span(start, end))
        self.tokens.append(token)
        return token


def scan_expression(source: SourceFile, start: int, end: int) -> tuple[tuple[Token, ...], tuple[Diagnostic, ...]]:
    """The tokens of the template expression at `start..end`: a line break is white space, quotes may be single."""
    found = Lexemes(source)
    Line(found, end, template=True).scan(start)
    return tuple(found.tokens), tuple(found.diagnostics)


def scan_line(found: Lexemes, start: int, stop: int) -> int:
    """Adds the tokens of the logical line at `start` and its NEWLINE to `found`; the offset behind it."""
    return Line(found, stop).scan(start)


class Line:
    """One logical line under the scanner: its open brackets and how many operators its expression has so far."""

    __slots__ = ("brackets", "end", "first", "found", "operators", "stop", "template", "text")

    def __init__(self, found: Lexemes, stop: int, *, template: bool = False) -> None:
        self.found = found
        self.text = found.source.text
        self.stop = stop
        self.template = template
        self.first = len(found.tokens)
        self.brackets: list[Open] = []
        self.operators = 0
        self.end = 0  # of the last token

    def scan(self, start: int) -> int:
        text, found, stop = self.text, self.found, self.stop
        path, tokens, keyword = found.source.path, found.tokens, WORD_TYPES.get
        match_lexeme = LEXEME.match
        at = self.end = start
        while True:
            lexeme = match_lexeme(text, at, stop)
            if lexeme is None:  # a lone character the pattern has no name for
                at += 1
                continue
            kind = lexeme.lastgroup
            begin, at = lexeme.span(kind)  # type: ignore[arg-type]  # one group always matches
            if kind == "WORD":
                word = text[begin:at]
                if at < stop and not text[at].isascii() and UNICODE_WORD.match(text[at]):
                    at = self.foreign_word(begin)
                    continue
                if word in OPERATORS:
                    self.operator(word, begin, at)
                elif self.brackets and word in NEVER_IN_BRACKETS:
                    self.close_all()
                    tokens.append(Token(keyword(word) or word_type(word), word, Span(path, begin, at)))
                else:
                    tokens.append(Token(keyword(word) or word_type(word), word, Span(path, begin, at)))
                    if word == "matching" and text.startswith(" /", at, stop):
                        at = self.pattern(at + 1)
            elif kind == "TEXT":
                tokens.append(Token("TEXT", text[begin:at], Span(path, begin, at)))
            elif kind == "SIGN":
                at = self.sign(text[begin:at], begin, at)
            elif kind == "BREAK":
                if not self.brackets and not self.template:
                    tokens.append(Token("_NEWLINE", text[begin:at], Span(path, begin, at)))
                    return at
                if self.brackets and not self.template and NEW_LINE.match(text, at, stop):
                    self.close_all()
                    found.add("_NEWLINE", self.end, self.end)
                    return at
                continue
            elif kind == "END":
                self.close_all()
                if not self.template:
                    found.add("_NEWLINE", stop, stop)
                return stop
            elif kind == "OPEN":
                self.open(begin, at)
            elif kind == "CLOSE":
                self.close(begin, at)
            elif kind == "COMMENT" and not self.template:
                self.comment(begin, at)
                continue
            elif kind == "BLOCK":
                at = self.block(begin)
            elif kind in ("OTHER", "COMMENT"):
                at = self.other(begin)
            else:
                at = self.literal(kind or "NUMERAL", begin, at)
            self.end = at

    # --------------------------------------------------------------------------------------------- words and literals

    def comment(self, begin: int, end: int) -> None:
        text = self.text[begin:end].rstrip()
        line_start = self.text.rfind("\n", 0, begin) + 1
        own_line = not self.text[line_start:begin].strip()
        self.found.comments.append(Comment(text, own_line, self.found.span(begin, begin + len(text))))

    def literal(self, kind: str, begin: int, end: int) -> int:
        word = self.text[begin:end]
        if wrong := malformed(kind, word, self.found.span(begin, end)):
            self.found.diagnostics.append(wrong)
        self.found.add(kind, begin, end)
        return end

    def pattern(self, begin: int) -> int:
        closed = PATTERN.match(self.text, begin, self.stop)
        if closed is None:
            line_end = self.text.find("\n", begin, self.stop)
            end = begin + len(self.text[begin : line_end if line_end >= 0 else self.stop].rstrip())
            self.found.add("PATTERN", begin, end)
            self.found.diagnostics.append(unclosed_pattern(self.found.span(begin, begin + 1)))
            return end
        token = self.found.add("PATTERN", begin, closed.end())
        if wrong := malformed_pattern(token.text[1:-1].replace("\\/", "/"), token.span):
            self.found.diagnostics.append(wrong)
        return closed.end()

    def operator(self, word: str, begin: int, end: int) -> None:
        self.operators += 1
        kind = WORD_TYPES.get(word) or SIGNS[word]
        if self.operators > MAX_OPERATORS:
            kind = "TOO_LARGE"
            if self.first not in self.found.spoiled or self.template:
                self.found.diagnostics.append(too_many_operators(self.found.span(begin, end)))
                self.found.spoiled.add(self.first)
        self.found.add(kind, begin, end)

    def sign(self, sign: str, begin: int, end: int) -> int:
        if sign in OPERATORS:
            self.operator(sign, begin, end)
            return end
        if sign == ",":
            self.operators = self.brackets[-1].operators if self.brackets else 0
        elif sign == "->" and self.brackets:
            self.close_all()
        self.found.add(SIGNS[sign], begin, end)
        return end

    # ------------------------------------------------------------------------------------------------------- brackets

    def open(self, begin: int, end: int) -> None:
        token = self.found.add(SIGNS[self.text[begin:end]], begin, end)
        self.brackets.append(Open(token, self.operators))
        if len(self.brackets) == MAX_NESTING + 1:
            self.found.diagnostics.append(too_deep_brackets(token.span))
            self.found.spoiled.add(self.first)
        if len(self.brackets) > MAX_NESTING:
            self.found.tokens[-1] = Token("TOO_LARGE", token.text, token.span)

    def close(self, begin: int, end: int) -> None:
        sign = self.text[begin:end]
        if not self.brackets:
            self.found.add(SIGNS[sign], begin, end)
            return
        opened = self.brackets.pop()
        self.operators = opened.operators + 1
        wanted = CLOSER[opened.token.text]
        token = self.found.add(SIGNS[wanted], begin, end)
        if sign != wanted and self.first not in self.found.spoiled:
            self.found.diagnostics.append(wrong_closer(opened.token, token, wanted))

    def close_all(self) -> None:
        """Closes what is open behind the last token, with a report of each."""
        deep = len(self.brackets) > MAX_NESTING
        while self.brackets:
            opened = self.brackets.pop()
            if not deep and self.first not in self.found.spoiled:
                self.found.diagnostics.append(unclosed_bracket(opened.token))
            self.found.add(SIGNS[CLOSER[opened.token.text]], self.end, self.end)

    # ---------------------------------------------------------------------------------------------------------- texts

    def block(self, begin: int) -> int:
        closed = BLOCK_END.match(self.text, begin + 3, self.stop)
        if closed:
            self.found.add("TEXT", begin, closed.end())
            return closed.end()
        end = self.likely_block_end(begin)
        token = self.found.add("TEXT", begin, end)
        self.spoil(unclosed_text(self.found.span(begin, begin + 3), '"""'))
        return token.span.end

    def likely_block_end(self, begin: int) -> int:
        """Before the first line that is not deeper than the one that opens the block."""
        line_start = self.text.rfind("\n", 0, begin) + 1
        width = len(self.text[line_start:begin]) - len(self.text[line_start:begin].lstrip())
        end = self.text.find("\n", begin, self.stop)
        while end >= 0:
            following = self.text.find("\n", end + 1, self.stop)
            line = self.text[end + 1 : following if following >= 0 else self.stop]
            if line.strip() and len(line) - len(line.lstrip()) <= width:
                return end
            end = following
        return self.stop

    def other(self, begin: int) -> int:
        sign = self.text[begin]
        if sign == '"':
            return self.unclosed(begin)
        if sign == "'" and (quoted := QUOTED.match(self.text, begin, self.stop)):
            self.found.add("TEXT", begin, quoted.end())
            if not self.template:
                self.found.diagnostics.append(single_quotes(self.found.span(begin, quoted.end()), self.text))
            return quoted.end()
        if curly := CURLY.match(self.text, begin, self.stop):
            self.found.add("TEXT", begin, curly.end())
            self.found.diagnostics.append(curly_quotes(self.found.span(begin, curly.end())))
            return curly.end()
        if UNICODE_WORD.match(sign):
            return self.foreign_word(begin)
        return self.wrong_character(sign, begin)

    def unclosed(self, begin: int) -> int:
        """A quote that is not closed on its line; the text ends with the line, before closing brackets inside some."""
        stop = self.text.find("\n", begin, self.stop)
        rest = self.text[begin : stop if stop >= 0 else self.stop].rstrip()
        if self.brackets:
            rest = rest.rstrip(",)]} ") or rest[:1]
        end = begin + len(rest)
        certain = not self.brackets and not self.template and not re.search(r'->|#|"|\{\{', rest[1:])
        self.found.add("TEXT", begin, end)
        edit = (Edit(self.found.span(end, end), '"'),) if certain and len(rest) > 1 else ()
        self.spoil(unclosed_text(self.found.span(begin, begin + 1), '"', *edit))
        return end

    def spoil(self, diagnostic: Diagnostic) -> None:
        self.found.spoiled.add(self.first)
        self.found.diagnostics.append(diagnostic)

    # ----------------------------------------------------------------------------------------------- wrong characters

    def foreign_word(self, begin: int) -> int:
        found = UNICODE_WORD.match(self.text, begin, self.stop)
        end = found.end() if found else begin + 1
        word = self.text[begin:end]
        latin = word.translate(LETTERS)
        kind = WORD_TYPES.get(latin) or word_type(latin) if latin.isascii() else "NAME"
        self.found.tokens.append(Token(kind, word, self.found.span(begin, end)))
        self.found.diagnostics.append(foreign_letters(word, latin, self.found.span(begin, end)))
        return end

    def wrong_character(self, sign: str, begin: int) -> int:
        span = self.found.span(begin, begin + 1)
        if sign.isspace():
            if (sign in "\t\r\f\v" and not self.template) or sign not in "\t\r":
                self.found.diagnostics.append(strange_space(sign, span))
            return begin + 1
        if sign in INVISIBLE:
            self.found.add("_IGNORED", begin, begin + 1)
            self.found.diagnostics.append(invisible(sign, span))
        elif meant := LOOK_ALIKES.get(sign):
            self.found.add(SIGNS[meant], begin, begin + 1)
            self.found.diagnostics.append(look_alike(sign, meant, span))
        else:
            self.found.add("UNKNOWN", begin, begin + 1)
        return begin + 1


def word_type(word: str) -> str:
    """How a word that is no keyword is written: `snake_case`, `PascalCase`, an HTTP method, or neither."""
    if word in METHODS:
        return "METHOD"
    if word == word.lower():
        return "NAME"
    return "TYPE_NAME" if word[0].isupper() else "MIXED_NAME"


WORD_TYPES: Final[Mapping[str, str]] = {word: word.upper() for word in words.KEYWORDS}

# ------------------------------------------------------------------------------------------------------------- reports


def unclosed_text(span: Span, quote: str, *edits: Edit) -> Diagnostic:
    where = "at the end of the text" if len(quote) == 1 else "on a line of its own, under the text"
    return Diagnostic(
        UNCLOSED_TEXT,
        "a text is never closed",
        (Label(span, "opened here"),),
        help=f"write `{quote}` {where}",
        edits=edits,
    )


def unclosed_bracket(opened: Token) -> Diagnostic:
    closer = CLOSER[opened.text]
    return Diagnostic(
        UNCLOSED_TEXT,
        f"`{opened.text}` is never closed",
        (Label(opened.span, "opened here"),),
        help=f"write `{closer}` where the value ends",
    )


def wrong_closer(opened: Token, closer: Token, wanted: str) -> Diagnostic:
    return Diagnostic(
        UNCLOSED_TEXT,
        f"`{opened.text}` is closed by `{closer.text}`",
        (Label(closer.span, f"expected `{wanted}`"), Label(opened.span, "opened here", secondary=True)),
        help=f"write `{wanted}`",
    )


def too_deep_brackets(span: Span) -> Diagnostic:
    return Diagnostic(
        TOO_LARGE,
        f"brackets are nested deeper than {MAX_NESTING}",
        (Label(span, f"level {MAX_NESTING + 1}"),),
        help="give the inner part a name with `set`",
    )


def too_many_operators(span: Span) -> Diagnostic:
    return Diagnostic(
        TOO_LARGE,
        f"an expression has more than {MAX_OPERATORS} operators",
        (Label(span, f"operator {MAX_OPERATORS + 1}"),),
        help="give a part of it a name with `set`",
    )


def single_quotes(span: Span, source: str) -> Diagnostic:
    inner = source[span.start + 1 : span.end - 1]
    edits = () if '"' in inner else (Edit(span, f'"{inner}"'),)
    return Diagnostic(
        WRONG_CHARACTER,
        "a text has single quotes",
        (Label(span, "single quotes"),),
        help='quote it with `"`; single quotes are for texts inside `{{ }}`',
        edits=edits,
    )


def curly_quotes(span: Span) -> Diagnostic:
    ends = (Span(span.path, span.start, span.start + 1), Span(span.path, span.end - 1, span.end))
    return Diagnostic(
        WRONG_CHARACTER,
        "a text has curly quotes",
        (Label(span, "curly quotes"),),
        help='quote it with `"`',
        edits=tuple(Edit(end, '"') for end in ends),
    )


def foreign_letters(word: str, latin: str, span: Span) -> Diagnostic:
    if latin.isascii():
        message, edits = f"`{word}` has letters that only look like Latin ones", (Edit(span, latin),)
        return Diagnostic(
            WRONG_CHARACTER, message, (Label(span, "look-alike letters"),), f"write `{latin}`", edits=edits
        )
    return Diagnostic(
        WRONG_CHARACTER,
        f"`{word}` has letters outside a to z",
        (Label(span, "not a name"),),
        help="names are written in a to z, digits and `_`; other letters belong in a text",
    )


def strange_space(sign: str, span: Span) -> Diagnostic:
    name = {"\t": "tab", "\u00a0": "non-breaking space"}.get(sign, "white space character that is no space")
    return Diagnostic(
        WRONG_CHARACTER,
        f"a {name} stands between words",
        (Label(span, f"U+{ord(sign):04X}"),),
        help="write a space",
        edits=(Edit(span, " "),),
    )


def invisible(sign: str, span: Span) -> Diagnostic:
    return Diagnostic(
        WRONG_CHARACTER,
        "an invisible character stands outside text",
        (Label(span, f"U+{ord(sign):04X}"),),
        help="remove it",
        edits=(Edit(span, ""),),
    )


def look_alike(sign: str, meant: str, span: Span) -> Diagnostic:
    return Diagnostic(
        WRONG_CHARACTER,
        f"`{sign}` is not `{meant}`",
        (Label(span, f"U+{ord(sign):04X}"),),
        help=f"write `{meant}`",
        edits=(Edit(span, meant),),
    )


UNCLOSED_TEXT: Final = Code("FLW107", "unclosed-text", Severity.ERROR)
WRONG_CHARACTER: Final = Code("FLW110", "wrong-character", Severity.ERROR)
