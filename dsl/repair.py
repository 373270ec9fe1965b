"""A line with a token that does not fit: what is wrong with it, and the line that was probably meant.

Repairs are tried on the states of the machine alone: one that makes the rest of the line fit is taken. Only a repair
that is the single one of its kind becomes an edit; the others serve to read on.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flowc.dsl import tokens as words
from flowc.dsl.diagnostic import Diagnostic, Edit, Label
from flowc.dsl.lexemes import METHODS
from flowc.dsl.literals import BAD_LITERAL, UNIT_WORDS
from flowc.dsl.machine import Machine
from flowc.dsl.mistakes import MISPLACED, RESERVED_NAME, UNEXPECTED, UNKNOWN_STATEMENT, nearest
from flowc.dsl.source import Span
from flowc.dsl.tokens import ALWAYS_RESERVED, KEYWORDS, Token
from flowc.dsl.tokens import words as word_set
from flowc.dsl.wording import WORDS, expected, found

__all__ = ["Repair", "first_word", "repair"]

AHEAD: Final = 80  # tokens of a line that a repair is tried on

NAMES: Final = frozenset(("NAME", "TYPE_NAME", "MIXED_NAME", "METHOD"))
LITERALS: Final = (
    "DURATION", "RATE", "PERCENT", "VERSION", "INTEGER", "NUMBER", "DATETIME", "DATE", "TIME",
)  # fmt: skip
# Signs and words that are easily left out, as they are written, the likelier ones first.
LEFT_OUT: Final = {
    "COLON": ":", "ARROW": " ->", "COMMA": ",", "DOT": ".", "ASSIGN": " =", "RPAR": ")", "RSQB": "]", "RBRACE": "}",
    **{word.upper(): f" {word}" for word in word_set("from of to via within for as then up at is else")},
}  # fmt: skip
# What is easily written for another sign.
MISTAKEN: Final = {
    "ASSIGN": ("EQUAL", "COLON"), "EQUAL": ("ASSIGN",), "COLON": ("ASSIGN",), "DOT": ("COMMA",), "COMMA": ("DOT",),
    "SLASH": ("BAR",), "MORE": ("ARROW",), "MINUS": ("ARROW",), "IF": ("WHEN",), "TO": ("ARROW",),
}  # fmt: skip
SPELT: Final = {
    "EQUAL": "==", "ASSIGN": "=", "COLON": ":", "COMMA": ",", "DOT": ".", "BAR": "|", "ARROW": "->", "WHEN": "when",
}  # fmt: skip
OTHER_LANGUAGES: Final = {
    "elif": "else if", "elseif": "else if", "goto": "->", "switch": "match", "case": "on", "default": "else",
    "return": "end", "print": "say", "send": "say", "let": "set", "var": "set", "import": "use", "function": "flow",
    "when": "on", "jump": "->", "transfer": "handoff", "wait": "listen", "delete": "clear", "unset": "clear",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repair:
    """What to report, and the line to read instead (with its NEWLINE), or None to leave the line out."""

    diagnostic: Diagnostic | None
    line: tuple[Token, ...] | None


def first_word(machine: Machine, states: Sequence[int], line: Sequence[Token], token: Token) -> Repair:
    """The repair of a line whose first token fits nowhere here."""
    accepts = machine.accepts(states)
    if token.type in NAMES or (token.text.isidentifier() and token.text not in KEYWORDS):
        return unknown_word(machine, states, line, accepts)
    if token.text in KEYWORDS or token.type == "ARROW":
        return Repair(misplaced_word(token, accepts), None)
    return Repair(unexpected(token, accepts, token.span), None)


def repair(
    machine: Machine, states: Sequence[int], taken: Sequence[Token], rest: Sequence[Token], *, opens: bool
) -> Repair:
    """The repair of a line of which `taken` fits above `states` and the first token of `rest` does not; it `opens` a
    block where the next line is deeper."""
    before = machine.trial(states, (token.type for token in taken))
    if before is None or not rest:
        return Repair(None, None)
    accepts = machine.accepts(before)
    attempt = Attempt(machine, states, before, tuple(taken), tuple(rest), accepts, opens)
    if misspelt := attempt.misspelt_first():
        return misspelt
    for choice in (attempt.literal, attempt.name, attempt.misspelt, attempt.sign, attempt.spare):
        if chosen := choice():
            return chosen
    return Repair(attempt.unexpected(), None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A refused token `rest[0]`: `before` are the states in front of it, which accept `accepts`."""

    machine: Machine
    states: Sequence[int]
    before: Sequence[int]
    taken: tuple[Token, ...]
    rest: tuple[Token, ...]
    accepts: frozenset[str]
    opens: bool

    @property
    def token(self) -> Token:
        return self.rest[0]

    def fits(self, *line: Token) -> bool:
        return self.machine.trial(self.before, (token.type for token in line[:AHEAD])) is not None

    def line(self, *rest: Token) -> tuple[Token, ...]:
        return (*self.taken, *rest)

    def unexpected(self, *edits: Edit) -> Diagnostic:
        return unexpected(self.token, self.accepts, self.place(), *edits)

    def place(self) -> Span:
        """The refused token; behind the last one where the line ends too early."""
        if self.token.type != "_NEWLINE" or not self.taken:
            return self.token.span
        last = self.taken[-1].span
        return Span(last.path, last.end, last.end)

    # -------------------------------------------------------------------------------------------------------- choices

    def misspelt_first(self) -> Repair | None:
        """A line that began with a word which is no keyword and was taken for a name."""
        first = self.taken[0] if self.taken else None
        if first is None or first.type not in NAMES:
            return None
        starters = [kind.lower() for kind in self.machine.accepts(self.states) if kind.lower() in KEYWORDS]
        near = nearest(first.text, starters)
        if near is None:
            return None
        meant = first._replace(type=near.upper())
        line = (meant, *self.taken[1:], *self.rest)
        if self.machine.trial(self.states, (token.type for token in line[:AHEAD])) is None:
            return None
        return Repair(unknown(first, near), line)

    def literal(self) -> Repair | None:
        """A literal of the wrong kind."""
        token = self.token
        if token.type == "RATE" and {"INTEGER"} <= self.accepts:
            parts = split_rate(token)
            return Repair(None, self.line(*parts, *self.rest[1:])) if self.fits(*parts, *self.rest[1:]) else None
        wanted = next((kind for kind in LITERALS if kind in self.accepts), None)
        if token.type == "NUMERAL" and wanted:  # reported by the lexer
            return Repair(None, self.line(token._replace(type=wanted), *self.rest[1:]))
        if token.type not in ("INTEGER", "NUMBER", "DATE", "DURATION") or wanted is None or token.type in self.accepts:
            return None
        return self.other_literal(token, wanted)

    def other_literal(self, token: Token, wanted: str) -> Repair | None:
        span, text, used = token.span, "", 1
        match token.type, wanted:
            case "INTEGER", "DURATION":
                unit = self.rest[1].text if len(self.rest) > 1 else ""
                if unit in UNIT_WORDS or unit in ("ms", "s", "m", "h", "d"):
                    span, used = span.to(self.rest[1].span), 2
                    text = token.text + UNIT_WORDS.get(unit, unit)
                label, advice = "no unit", "units of time are `ms`, `s`, `m`, `h` and `d`, without a space"
            case "INTEGER", "PERCENT":
                label, advice, text = "no percentage", "write a percentage", f"{token.text}%"
            case "INTEGER", "RATE":
                label, advice = "no rate", "say per what: `/s`, `/m` or `/h`"
            case (("INTEGER" | "NUMBER"), "VERSION"):
                label, advice = "no version", "a version has three numbers"
                text = ".".join((*token.text.split("."), "0", "0")[:3])
            case "DATE", "DATETIME":
                label, advice, text = "no moment", "write the time too", f"{token.text}T00:00"
            case "NUMBER", "INTEGER":
                label, advice = "not whole", "write a whole number"
            case _:
                return None
        written = "".join(part.text if index == 0 else f" {part.text}" for index, part in enumerate(self.rest[:used]))
        diagnostic = Diagnostic(
            BAD_LITERAL,
            f"expected {WORDS[wanted]}, found `{written}`",
            (Label(span, label),),
            help=f"{advice}: `{text}`" if text else advice,
            edits=(Edit(span, text),) if text else (),
        )
        stand_in = Token(wanted, text or token.text, span)
        return Repair(diagnostic, self.line(stand_in, *self.rest[used:]))

    def name(self) -> Repair | None:
        """A reserved word, or a word in the wrong case, where a name or a type should stand."""
        token = self.token
        if "NAME" in self.accepts and "INTEGER" not in self.accepts and token.text in ALWAYS_RESERVED:
            meant = token._replace(type="NAME")
            if not self.fits(meant):
                return None
            label = Label(token.span, "reserved everywhere")
            message = f"`{token.text}` is a reserved word"
            diagnostic = Diagnostic(RESERVED_NAME, message, (label,), help="choose another name")
            return Repair(diagnostic, self.line(meant, *self.rest[1:])) if self.fits(meant, *self.rest[1:]) else None
        if token.type in ("TYPE_NAME", "MIXED_NAME", "METHOD") and "NAME" in self.accepts:
            return Repair(wrong_case(token, "names", snake(token.text)), self.renamed("NAME"))
        if token.type in ("NAME", "MIXED_NAME") and "TYPE_NAME" in self.accepts and self.accepts <= NAMES:
            return Repair(wrong_case(token, "types", pascal(token.text)), self.renamed("TYPE_NAME"))
        return None

    def renamed(self, kind: str) -> tuple[Token, ...]:
        """The line with the refused token read as `kind`; what else is wrong in it is found when it is read again."""
        return self.line(self.token._replace(type=kind), *self.rest[1:])

    def misspelt(self) -> Repair | None:
        """A word that is nearly one that could stand there."""
        token = self.token
        if token.type not in NAMES and token.text not in KEYWORDS:
            return None
        near = nearest(token.text, [kind.lower() for kind in self.accepts if kind.lower() in KEYWORDS])
        if near is None or not self.fits(meant := token._replace(type=near.upper()), *self.rest[1:]):
            return None
        wanted = f"expected `{near}`"
        diagnostic = Diagnostic(
            UNEXPECTED,
            f"{wanted}, found `{token.text}`",
            (Label(token.span, wanted),),
            help=f"did you mean `{near}`?",
            edits=(Edit(token.span, near),),
        )
        return Repair(diagnostic, self.line(meant, *self.rest[1:]))

    def sign(self) -> Repair | None:
        """A sign or small word that was left out, or written for another one."""
        options = tuple(self.sign_options())
        if not options:
            return None
        line, edit, wanted = options[0]
        exchanged = edit != () and edit[0].span.start < edit[0].span.end
        if len(options) > 1 or (not exchanged and token_left_out(self)):
            return Repair(self.unexpected(), self.line(*line))
        place = self.place()
        said = f"expected {wanted}"
        message = f"{said}, found {found(self.token)}"
        diagnostic = Diagnostic(UNEXPECTED, message, (Label(place, said),), help=f"write {wanted}", edits=edit)
        return Repair(diagnostic, self.line(*line))

    def sign_options(self) -> Iterator[tuple[tuple[Token, ...], tuple[Edit, ...], str]]:
        token, rest = self.token, self.rest
        behind = self.taken[-1].span if self.taken else token.span
        gap = Span(behind.path, behind.end, behind.end)
        for kind in MISTAKEN.get(token.type, ()):
            meant = Token(kind, SPELT[kind], token.span)
            if kind in self.accepts and self.fits(meant, *rest[1:]):
                yield (meant, *rest[1:]), (Edit(token.span, SPELT[kind]),), f"`{SPELT[kind]}`"
        if token.type == "MINUS" and len(rest) > 1 and rest[1].type == "MORE" and "ARROW" in self.accepts:
            arrow = Token("ARROW", "->", token.span.to(rest[1].span))
            if self.fits(arrow, *rest[2:]):
                yield (arrow, *rest[2:]), (Edit(arrow.span, "->"),), "`->`"
        for kind, written in LEFT_OUT.items():
            meant = Token(kind, written.strip(), gap)
            if kind in self.accepts and self.fits(meant, *rest) and not (kind == "ARROW" and self.opens):
                yield (meant, *rest), (Edit(gap, written),), f"`{written.strip()}`"
        if "LPAR" in self.accepts:
            pair = (Token("LPAR", "(", gap), Token("RPAR", ")", gap))
            if self.fits(*pair, *rest):
                yield (*pair, *rest), (Edit(gap, "()"),), "`()`"
        if self.accepts == {"VERSION"}:
            yield (Token("VERSION", "0.0.0", gap), *rest), (), WORDS["VERSION"]

    def spare(self) -> Repair | None:
        """A token too many, or a line that is whole before the refused token."""
        rest = token_left_out(self)
        return Repair(self.unexpected(), self.line(*rest)) if rest else None


def token_left_out(attempt: Attempt) -> tuple[Token, ...] | None:
    """The rest of the line without its refused token, or without all that follows, where that fits."""
    shorter = attempt.rest[1:]
    if shorter and attempt.fits(*shorter):
        return shorter
    return shorter[-1:] if shorter and attempt.fits(shorter[-1]) else None


def split_rate(token: Token) -> tuple[Token, ...]:
    """`10/s` as a division."""
    number, _, unit = token.text.partition("/")
    span = token.span
    cut = span.start + len(number)
    return (
        Token("INTEGER", number, Span(span.path, span.start, cut)),
        Token("SLASH", "/", Span(span.path, cut, cut + 1)),
        Token("NAME", unit, Span(span.path, cut + 1, span.end)),
    )


def snake(word: str) -> str:
    """`OrderId` as `order_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()


def pascal(word: str) -> str:
    """`order_id` as `OrderId`."""
    return "".join(part[:1].upper() + part[1:] for part in word.split("_"))


# ------------------------------------------------------------------------------------------------------------- reports


def unexpected(token: Token, accepts: frozenset[str], place: Span, *edits: Edit) -> Diagnostic:
    wanted = expected(accepts)
    return Diagnostic(
        UNEXPECTED, f"expected {wanted}, found {found(token)}", (Label(place, f"expected {wanted}"),), edits=edits
    )


def unknown_word(machine: Machine, states: Sequence[int], line: Sequence[Token], accepts: frozenset[str]) -> Repair:
    """A line that begins with no keyword."""
    token = line[0]
    here = [kind.lower() for kind in accepts if kind.lower() in KEYWORDS]
    if "METHOD" in accepts and (method := nearest(token.text, METHODS)):
        return Repair(unknown(token, method), (token._replace(type="METHOD", text=method), *line[1:]))
    near = nearest(token.text, here) or nearest(token.text.lower(), here)
    if near is not None:
        meant = (token._replace(type=near.upper()), *line[1:])
        return Repair(unknown(token, near), meant)
    other = OTHER_LANGUAGES.get(token.text)
    if other is not None:
        return Repair(unknown(token, other), None)
    elsewhere = nearest(token.text, KEYWORDS)
    if elsewhere is not None:
        return Repair(unknown(token, elsewhere, certain=False), None)
    return Repair(unknown(token, None, wanted=expected(accepts)), None)


def unknown(token: Token, near: str | None, *, wanted: str = "", certain: bool = True) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_STATEMENT,
        f"no line begins with `{token.text}`",
        (Label(token.span, "not known"),),
        help=f"did you mean `{near}`?" if near else f"here stands {wanted}",
        edits=(Edit(token.span, near),) if near and certain else (),
    )


def misplaced_word(token: Token, accepts: frozenset[str]) -> Diagnostic:
    return Diagnostic(
        MISPLACED,
        f"`{token.text}` cannot stand here",
        (Label(token.span, f"expected {expected(accepts)}"),),
        help=next((place for group, place in BELONGS if token.text in group), None),
    )


def wrong_case(token: Token, what: str, written: str) -> Diagnostic:
    case = "snake_case" if what == "names" else "PascalCase"
    return Diagnostic(
        UNEXPECTED,
        f"`{token.text}` is not written as {what} are",
        (Label(token.span, f"{what} are in {case}"),),
        help=f"write `{written}` wherever it stands",
    )


BELONGS: Final = (
    (word_set("flow library"), "it is the first line of a file"),
    (words.DECLARATIONS, "it stands at the left margin, under nothing"),
    (words.STATEMENTS | {"->"}, "it belongs in a state or in an arm"),
    (word_set("on else"), "it belongs under what can turn out differently: a wait, a call, a `match`, or `anywhere`"),
    (words.SAY_LINES, "it belongs under a `say`"),
    (word_set("read write"), "it belongs in a service"),
    (words.POLICY_LINES, "it belongs in a service, or under one of its operations"),
    (words.OPERATION_LINES, "it belongs under an operation of a service"),
    (words.SLOT_LINES, "it belongs under a slot"),
    (words.HEADER_LINES, "it belongs in the header, under `flow`"),
    (words.CHAT_STEPS, "it belongs in a `chat` of a `.chat` file"),
)
