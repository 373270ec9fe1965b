"""A program ready to run: code as closures, waits and jobs by their stored name. Made by `load`, immutable, shared by
all conversations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from flowc.runtime.kernel.evaluate import Evaluate
from flowc.runtime.kernel.texts import TextOf
from flowc.runtime.program import Flow, PriorityClass, Program, Slot
from flowc.runtime.types import Type
from flowc.runtime.values import Shapes, Value

if TYPE_CHECKING:
    from flowc.runtime.kernel.running import Running

# What an instruction answers: the index of the next one, or one of these.
STOP: Final = -1  # the step ends here
SWITCH: Final = -2  # another frame is on top: go on at `Running.pc`

Code = Callable[["Running"], int]


@dataclass(frozen=True, slots=True)
class LoadedArm:
    """`name` is how it is stored and shown: `on agent`, `on silence 10m`, `else`."""

    name: str
    to: int
    when: Evaluate | None = None


@dataclass(frozen=True, slots=True)
class LoadedArms:
    """Arms of one scope: of a wait, or of an `anywhere`. `silences` by their time in milliseconds."""

    intents: Mapping[str, tuple[LoadedArm, ...]] = field(default_factory=dict)
    events: Mapping[str, tuple[LoadedArm, ...]] = field(default_factory=dict)
    changes: tuple[tuple[tuple[str, ...], LoadedArm], ...] = ()
    silences: Mapping[int, tuple[LoadedArm, ...]] = field(default_factory=dict)
    otherwise: LoadedArm | None = None
    failure: LoadedArm | None = None
    unknown: LoadedArm | None = None


@dataclass(frozen=True, slots=True)
class LoadedCheck:
    condition: Evaluate
    text: TextOf


@dataclass(frozen=True, slots=True)
class LoadedSlot:
    """`is_plain`: any text is an answer. `words` are other words for the values of a choice, folded."""

    slot: Slot
    name: str
    type: Type
    is_plain: bool
    ask: TextOf | None
    reask: TextOf | None
    checks: tuple[LoadedCheck, ...]
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AskWait:
    """`waits` has the stored name for each slot; `questions` the words, by slot."""

    pc: int
    wait: str
    slots: tuple[LoadedSlot, ...]
    names: frozenset[str]
    waits: Mapping[str, str]
    question: TextOf | None
    arms: LoadedArms
    next: int


@dataclass(frozen=True, slots=True)
class ChooseWait:
    pc: int
    wait: str
    name: str
    items: Evaluate
    question: TextOf
    show: TextOf | None
    arms: LoadedArms
    empty: int
    next: int


@dataclass(frozen=True, slots=True)
class ListenWait:
    """`say` repeats what stands directly before it."""

    pc: int
    wait: str
    arms: LoadedArms
    say: int | None


@dataclass(frozen=True, slots=True)
class LoadedCall:
    place: str
    service: str
    operation: str
    arguments: tuple[tuple[str, Evaluate], ...]
    target: str | None
    within_ms: int


@dataclass(frozen=True, slots=True)
class LoadedFailures:
    """Arms of a call, by failure or outcome kind."""

    named: Mapping[str, int]
    otherwise: int | None


@dataclass(frozen=True, slots=True)
class ReadsWait:
    pc: int
    wait: str
    calls: tuple[LoadedCall, ...]


@dataclass(frozen=True, slots=True)
class WriteWait:
    pc: int
    wait: str
    call: LoadedCall
    arms: LoadedFailures


@dataclass(frozen=True, slots=True)
class DoWait:
    pc: int
    wait: str
    flow: str
    arguments: tuple[tuple[str, Evaluate], ...]
    target: str | None
    outcomes: Mapping[str, int]
    next: int


@dataclass(frozen=True, slots=True)
class HandoffWait:
    pc: int
    wait: str
    queue: TextOf
    returned: int | None
    unavailable: int | None


UserWait = AskWait | ChooseWait | ListenWait
Wait = UserWait | ReadsWait | WriteWait | DoWait | HandoffWait


@dataclass(frozen=True, slots=True)
class LoadedJob:
    """The arms of a `defer`."""

    call: LoadedCall
    within_ms: int
    priority: PriorityClass | None
    done: int | None
    done_name: str | None
    failed: int | None
    unknown: int | None


@dataclass(frozen=True, slots=True)
class LoadedPriority:
    priority: PriorityClass
    when: Evaluate | None


@dataclass(frozen=True, slots=True)
class LoadedFlow:
    """`waits` by stored name, an `ask` under the name of each of its slots. `kept` are the variables to store at a
    wait, None for all; `silences` the times of silence arms at a wait for the user, those of `anywhere` included, from
    the shortest, in milliseconds and as they are added to a time."""

    flow: Flow
    name: str
    code: tuple[Code, ...]
    entries: Mapping[str, int]
    waits: Mapping[str, Wait]
    asks: Mapping[int, AskWait]
    jobs: Mapping[str, LoadedJob]
    anywhere: LoadedArms
    slots: Mapping[str, LoadedSlot]
    intent_slots: Mapping[str, frozenset[str]]
    kept: Mapping[str, frozenset[str]]
    silences: Mapping[str, tuple[tuple[int, timedelta], ...]]
    secrets: frozenset[str]
    state_priorities: Mapping[str, LoadedPriority]
    priorities: tuple[LoadedPriority, ...]
    confidence: float | None
    locale: str | None


@dataclass(frozen=True, slots=True, eq=False)
class LoadedProgram:
    """`program` is what it was made from; a conversation begins with `main`, which is given `arguments`."""

    program: Program
    flows: Mapping[str, LoadedFlow]
    shapes: Shapes
    main: LoadedFlow
    arguments: Mapping[str, Value]
