"""An LALR machine over tables that Lark computed: two stacks and a step. Knows no text and reports nothing.

Stepping the tables ourselves, not through Lark's parser, makes three things cheap: a token that does not fit is an
answer and not an exception, the stacks can be cut back to where a line began, and repairs are tried on states alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from flowc.dsl.tokens import ALWAYS_RESERVED, KEYWORDS, Token

__all__ = ["END", "Callback", "Machine", "Reduction", "Tables", "fitting"]

END: Final = "$END"
# A keyword in the place of a name is one, unless it is reserved everywhere.
NAME_LIKE: Final = frozenset(word.upper() for word in KEYWORDS - ALWAYS_RESERVED)

Callback = Callable[[list[object]], object]


class Reduction(NamedTuple):
    """Replaces the top `size` entries by one for `origin`; `rule` counts the rules of the grammar."""

    size: int
    origin: str
    rule: int


@dataclass(frozen=True, slots=True)
class Tables:
    """By state and token type: the state to go to, or the reduction to make."""

    actions: tuple[Mapping[str, int | Reduction], ...]
    starts: Mapping[str, int]
    ends: Mapping[str, int]


def fitting(actions: Mapping[str, int | Reduction], kind: str) -> str | None:
    """`kind`, or what a token of that kind may also be read as, where a state with `actions` takes it.

    A keyword where only a name can stand is a name.
    """
    if kind in actions:
        return kind
    if "NAME" in actions and kind in NAME_LIKE:
        return "NAME"
    if kind == "METHOD" and "TYPE_NAME" in actions:
        return "TYPE_NAME"
    return None


class Machine:
    """The stacks of one parse. `values` has one entry less than `states`."""

    __slots__ = ("actions", "callbacks", "end", "states", "values")

    def __init__(self, tables: Tables, callbacks: Sequence[Callback], start: str) -> None:
        self.actions = tables.actions
        self.callbacks = callbacks
        self.end = tables.ends[start]
        self.states = [tables.starts[start]]
        self.values: list[object] = []

    def step(self, token: Token) -> bool:
        """Takes `token` in; False when it does not fit (reductions that it caused stay)."""
        states, values, actions = self.states, self.values, self.actions
        kind = fitting(actions[states[-1]], token.type)
        if kind is None:
            return False
        action = actions[states[-1]][kind]
        while action.__class__ is not int:
            self.reduce(action)  # type: ignore[arg-type]  # neither a state nor None
            following = actions[states[-1]].get(kind)
            if following is None:
                return False
            action = following
        states.append(action)
        values.append(token)
        return True

    def reduce(self, action: Reduction) -> None:
        states, values = self.states, self.values
        size, origin, rule = action
        if size:
            parts = values[-size:]
            del states[-size:], values[-size:]
        else:
            parts = []
        values.append(self.callbacks[rule](parts))
        states.append(self.actions[states[-1]][origin])  # type: ignore[arg-type]  # behind a rule is a state

    def finish(self) -> bool:
        """Reduces to the start symbol at the end of the tokens; False when more is wanted."""
        while self.states[-1] != self.end:
            action = self.actions[self.states[-1]].get(END)
            if not isinstance(action, Reduction):
                return False
            self.reduce(action)
        return True

    @property
    def result(self) -> object:
        """What the start symbol became, after `finish`."""
        return self.values[-1]

    def cut(self, depth: int) -> None:
        """Forgets what lies above `depth` states."""
        del self.states[depth:]
        del self.values[depth - 1 :]

    # --------------------------------------------------------------------------------------------------- on trial only

    def trial(self, states: Sequence[int], kinds: Iterable[str]) -> list[int] | None:
        """The states after `kinds` were taken in from `states`, or None where one does not fit. Changes nothing."""
        after = list(states)
        for kind in kinds:
            fitted = fitting(self.actions[after[-1]], kind)
            if fitted is None:
                return None
            while True:
                action = self.actions[after[-1]].get(fitted)
                if isinstance(action, Reduction):
                    if action.size:
                        del after[-action.size :]
                    after.append(self.actions[after[-1]][action.origin])  # type: ignore[arg-type]  # a state
                    if fitted == END and after[-1] == self.end:
                        return after
                elif action is None:
                    return None
                else:
                    after.append(action)
                    break
        return after

    def accepts(self, states: Sequence[int]) -> frozenset[str]:
        """Exactly the token types that fit next, END among them."""
        listed = (kind for kind in self.actions[states[-1]] if kind.isupper())
        return frozenset(kind for kind in listed if self.trial(states, (kind,)) is not None)
