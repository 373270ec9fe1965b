"""The words of the language: what a token is, which words are keywords, which are reserved.

A keyword is one only where the grammar has a place for it; elsewhere the same word is a name. `flow.lark` names the
terminal of a keyword by the word in capitals, as here, so the two lists are compared by a test.
"""

from typing import Final, NamedTuple

from flowc.dsl.source import Span

__all__ = ["ALWAYS_RESERVED", "KEYWORDS", "RESERVED_AFTER_ON", "Token"]


class Token(NamedTuple):
    """`text` is the exact slice of the source under `span`; `type` names a terminal of the grammar, for a word the
    keyword that it may be."""

    type: str
    text: str
    span: Span

    @property
    def kind(self) -> str:
        """The same as `type`, by the name that the rest of the project uses."""
        return self.type


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DECLARATIONS: Final = words("type service intent event slot state anywhere migrate")
HEADER_LINES: Final = words("takes gives locale reply confidence priority use start while")
STATEMENTS: Final = words("say ask reject choose listen call defer do if match set clear resume handoff end mark")
SAY_LINES: Final = words("buttons image link")
SLOT_LINES: Final = words("ask reask tries check")
POLICY_LINES: Final = words("timeout within retry breaker limit at cache")
OPERATION_LINES: Final = words("key header body answer fails")
CHAT_STEPS: Final = words("bot user given after at event handoff calls state ends")
INNER_WORDS: Final = words(
    "on else when change silence done from to of for one up most once per user auto field keeps refusals via"
    " matching list pii secret also examples show busy queue merge read write"
    " and or not in is none true false"
    " contains any as then buttons"
)

KEYWORDS: Final = (
    words("flow library chat")
    | DECLARATIONS
    | HEADER_LINES
    | STATEMENTS
    | SAY_LINES
    | SLOT_LINES
    | POLICY_LINES
    | OPERATION_LINES
    | CHAT_STEPS
    | INNER_WORDS
)

ALWAYS_RESERVED: Final = words("on else and or not in is none true false set say if")
RESERVED_AFTER_ON: Final = words(
    "silence change failure done failed returned unavailable empty ok timeout overloaded rejected malformed unknown"
)
