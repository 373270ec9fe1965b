"""A loaded program that tells what it decides: each condition with its result, and the values that it read.

For `why`: a recorded turn taken again through it gives the same position, and says why. Made beside the program that
runs turns, which pays nothing for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from msgspec import Struct

from flowc.runtime.kernel.evaluate import Env, Evaluate
from flowc.runtime.kernel.loaded import (
    AskWait,
    ChooseWait,
    Code,
    ListenWait,
    LoadedArm,
    LoadedArms,
    LoadedCheck,
    LoadedFlow,
    LoadedProgram,
    LoadedSlot,
    Wait,
)
from flowc.runtime.kernel.running import Running
from flowc.runtime.kernel.texts import expression_of
from flowc.runtime.program import (
    Apply,
    Ask,
    Branch,
    Builtin,
    ChangeArm,
    Choose,
    Constant,
    Each,
    Expression,
    Get,
    Guarded,
    Listen,
    Local,
    MakeList,
    MakeRecord,
    Match,
    Render,
    SilenceArm,
    Variable,
    WaitArms,
)
from flowc.runtime.values import Value

__all__ = ["Decision", "leaves", "watched"]


class Decision(Struct, frozen=True):
    """A condition of `flow` that came to `value`. `at` is the instruction (of a guard: of its arm), `name` the arm or
    slot, `passed` how many transitions the step had made before. `read` has what it read: each variable or field."""

    kind: Literal["if", "match", "guard", "check"]
    flow: str
    at: int
    name: str
    condition: Expression
    value: Value
    passed: int
    read: tuple[tuple[Expression, Value], ...]


Tell = Callable[[Decision], None]


def watched(loaded: LoadedProgram, tell: Tell) -> LoadedProgram:
    """The same program; `tell` gets every decision, in order."""
    flows = {name: _Watching(flow, tell).flow() for name, flow in loaded.flows.items()}
    return LoadedProgram(loaded.program, flows, loaded.shapes, flows[loaded.main.name], loaded.arguments)


def leaves(expression: Expression) -> tuple[Expression, ...]:
    """The variables and fields that an expression reads, each once, in its order."""
    return tuple(dict.fromkeys(_leaves(expression)))


def _leaves(expression: Expression) -> Sequence[Expression]:
    match expression:
        case Constant() | Render():
            return ()
        case Variable() | Local() | Builtin() | Get() | Each():
            return (expression,)
        case Apply(arguments=several) | MakeList(items=several):
            return [leaf for each in several for leaf in _leaves(each)]
        case MakeRecord(fields=fields):
            return [leaf for each in fields for leaf in _leaves(each.value)]


class _Watching:
    """One flow, with its conditions told."""

    def __init__(self, flow: LoadedFlow, tell: Tell) -> None:
        self._flow = flow
        self._tell = tell

    def flow(self) -> LoadedFlow:
        flow = self._flow
        slots = {name: self._slot(slot) for name, slot in flow.slots.items()}
        waits = {name: self._wait(wait, slots) for name, wait in flow.waits.items()}
        return replace(
            flow,
            code=tuple([self._code(pc, code) for pc, code in enumerate(flow.code)]),
            waits=waits,
            asks={pc: cast("AskWait", self._wait(wait, slots)) for pc, wait in flow.asks.items()},
            slots=slots,
            anywhere=self._arms(flow.anywhere, flow.flow.anywhere.arms),
        )

    def _code(self, pc: int, code: Code) -> Code:
        match self._flow.flow.code[pc]:
            case Branch(condition=condition):
                told = self._told("if", pc, "", condition, expression_of(condition))
            case Match(subject=subject):
                told = self._told("match", pc, "", subject, expression_of(subject))
            case _:
                return code

        def run(running: Running) -> int:
            told(running)
            return code(running)

        return run

    def _told(
        self, kind: Literal["if", "match", "guard", "check"], at: int, name: str, condition: Expression, of: Evaluate
    ) -> Evaluate:
        reads = [(leaf, expression_of(leaf)) for leaf in leaves(condition)]
        flow = self._flow.name

        def evaluate(env: Env) -> Value:
            value = of(env)
            passed = len(env.transitions) if isinstance(env, Running) else 0
            read = tuple([(leaf, read(env)) for leaf, read in reads])
            self._tell(Decision(kind, flow, at, name, condition, value, passed, read))
            return value

        return evaluate

    # ------------------------------------------------------------------------------------------------------------ slots

    def _slot(self, slot: LoadedSlot) -> LoadedSlot:
        checks = zip(slot.checks, slot.slot.checks, strict=True)
        told = [
            LoadedCheck(self._told("check", -1, slot.name, line.condition, check.condition), check.text)
            for check, line in checks
        ]
        return replace(slot, checks=tuple(told))

    # ------------------------------------------------------------------------------------------------------------- arms

    def _wait(self, wait: Wait, slots: Mapping[str, LoadedSlot]) -> Wait:
        line = self._flow.flow.code[wait.pc]
        match wait, line:
            case AskWait(), Ask(arms=arms):
                known = tuple([slots[slot.name] for slot in wait.slots])
                return replace(wait, slots=known, arms=self._arms(wait.arms, arms))
            case ChooseWait(), Choose(arms=arms):
                return replace(wait, arms=self._arms(wait.arms, arms))
            case ListenWait(), Listen(arms=arms):
                return replace(wait, arms=self._arms(wait.arms, arms))
            case _:
                return wait

    def _arms(self, loaded: LoadedArms, lines: WaitArms) -> LoadedArms:
        changes = zip(loaded.changes, lines.changes, strict=True)
        silent = {after: [line for line in lines.silences if line.after_ms == after] for after in loaded.silences}
        return replace(
            loaded,
            intents={name: self._several(arms, lines.intents[name]) for name, arms in loaded.intents.items()},
            events={name: self._several(arms, lines.events[name]) for name, arms in loaded.events.items()},
            changes=tuple([(slots, self._arm(arm, line)) for (slots, arm), line in changes]),
            silences={after: self._several(arms, silent[after]) for after, arms in loaded.silences.items()},
        )

    def _several(self, arms: Sequence[LoadedArm], lines: Sequence[Guarded | SilenceArm]) -> tuple[LoadedArm, ...]:
        return tuple([self._arm(arm, line) for arm, line in zip(arms, lines, strict=True)])

    def _arm(self, arm: LoadedArm, line: Guarded | ChangeArm | SilenceArm) -> LoadedArm:
        if arm.when is None or line.when is None:
            return arm
        return replace(arm, when=self._told("guard", arm.to, arm.name, line.when, arm.when))
