"""The states and handlers of one flow as flat code.

Instructions name each other by index, and many are emitted before what they jump to. So `Code` keeps makers, which
are called when every label has its place. The arms of calls and jobs stand after the state that they belong to: a
call that succeeds runs straight on.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, assert_never

from flowc.compiler.groups import Group, grouped
from flowc.compiler.lower_arms import Arms, ArmTables, Label, arm_places, index_of, is_else, labelled
from flowc.compiler.lower_values import Values, constant
from flowc.compiler.model import FlowModel, Model
from flowc.dsl import nodes
from flowc.dsl.source import Span
from flowc.runtime import program

__all__ = ["FlowCode", "lower_code"]

DEFER_WITHIN_MS: Final = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class FlowCode:
    """The code of a flow. `resumes` says which wait a `resume` in one of its own arms goes back to; a resume that is
    not there goes back to whatever was interrupted. `handlers` is where the arms of `anywhere` begin, `jobs` the
    indices of job arms' code, `spans` where each instruction comes from."""

    code: tuple[program.Instruction, ...]
    entries: dict[str, program.Target]
    anywhere: program.Anywhere
    resumes: dict[int, int]
    handlers: int
    jobs: frozenset[int]
    spans: tuple[Span, ...] = ()


@dataclass(slots=True)
class Pending:
    """Arms that stand after their state, and where control goes on after each; None: it resumes."""

    arms: list[tuple[nodes.Arm, Label]]
    join: Label | None
    scope: "Scope"


@dataclass(slots=True)
class Scope:
    """Where a statement stands. `owner` is the wait whose arm it is in; in a job's arm the end of a block resumes."""

    place: str
    owner: Label | None = None
    job: bool = False
    asks: dict[str, Label] = field(default_factory=dict)
    places: Counter[str] = field(default_factory=Counter)

    def within(self, owner: Label) -> "Scope":
        return Scope(self.place, owner, self.job, self.asks, self.places)

    def of_job(self) -> "Scope":
        return Scope(self.place, None, True, self.asks, self.places)

    def numbered(self, name: str) -> str:
        """`PLACE.NAME`, with a number where it is there already."""
        self.places[name] += 1
        count = self.places[name]
        return f"{self.place}.{name}" if count == 1 else f"{self.place}.{name}.{count}"


def lower_code(flow: FlowModel, model: Model, values: Values) -> FlowCode:
    """The code of `flow`: its states in source order, then what stands under `anywhere`."""
    code = Code(model, values)
    entries = {}
    for state in flow.states.values():
        entries[state.name.text] = code.here()
        code.body(state.body, Scope(state.name.text))
    handlers = code.here()
    arms = [(arm, Label()) for arm in flow.anywhere]
    for (arm, label), place in zip(arms, arm_places(flow.anywhere), strict=True):
        code.place(label)
        code.body(arm.body, Scope(place))
    made = code.made()
    return FlowCode(
        made,
        {name: label.at for name, label in entries.items()},
        ArmTables(model, values).anywhere(arms),
        {at: owner.at for at, owner in code.resumes.items()},
        handlers.at,
        frozenset(code.jobs),
        tuple(code.spans),
    )


class Code:
    """Emits instructions of one flow; guards the list of what was emitted."""

    def __init__(self, model: Model, values: Values) -> None:
        self._model = model
        self._values = values
        self._tables = ArmTables(model, values)
        self._makers: list[Callable[[], program.Instruction]] = []
        self._pending: list[Pending] = []
        self.resumes: dict[int, Label] = {}
        self.jobs: list[int] = []
        self.spans: list[Span] = []
        self._span = Span("", 0, 0)  # of what is being emitted

    # ------------------------------------------------------------------------------------------------------ emitting

    def here(self) -> Label:
        return Label(len(self._makers))

    def place(self, label: Label) -> None:
        label.at = len(self._makers)

    def emit(self, make: Callable[[], program.Instruction], scope: Scope) -> Label:
        """Adds one instruction; its label."""
        at = self.here()
        if scope.job:
            self.jobs.append(at.at)
        self._makers.append(make)
        self.spans.append(self._span)
        return at

    def made(self) -> tuple[program.Instruction, ...]:
        return tuple(make() for make in self._makers)

    # ------------------------------------------------------------------------------------------------------ blocks

    def body(self, body: tuple[nodes.Statement, ...], scope: Scope) -> None:
        """A state or a handler, with the arms that stand after it. One that does not leave resumes (only a handler's
        may)."""
        if self._block(body, scope):
            self._resume(nodes.Resume(None, None, body[-1].span), scope)
        while self._pending:
            waiting, self._pending = self._pending, []
            for pending in waiting:
                self._arms(pending.arms, pending.join, pending.scope)

    def _arms(self, arms: Arms, join: Label | None, scope: Scope) -> None:
        """Each arm at its label, then on at `join`; without one it resumes."""
        for arm, label in arms:
            self.place(label)
            if not self._block(arm.body, scope):
                continue
            if join is None:
                self._resume(nodes.Resume(None, None, arm.span), scope)
            else:
                self._jump(join, scope)

    def _jump(self, to: Label, scope: Scope) -> None:
        self.emit(lambda: program.Jump(to.at), scope)

    def _block(self, body: tuple[nodes.Statement, ...], scope: Scope) -> bool:
        """Emits `body`; whether control comes out at its end. What stands behind one that leaves is left out."""
        said: Label | None = None
        for item in grouped(body, self._model):
            at = self.here()
            goes_on = self._reads(item, scope) if isinstance(item, tuple) else self._statement(item, scope, said)
            said = at if isinstance(item, nodes.Say) else None
            if not goes_on:
                return False
        return True

    def _statement(self, statement: nodes.Statement, scope: Scope, said: Label | None) -> bool:
        """Emits one statement; whether control goes on behind it."""
        self._span = statement.span
        match statement:
            case nodes.Say():
                self._say(statement, scope)
            case nodes.Ask():
                self._ask(statement, scope)
            case nodes.Choose():
                self._choose(statement, scope)
            case nodes.Listen():
                return self._listen(statement, scope, said)
            case nodes.Call():
                self._write(statement, scope)
            case nodes.Defer():
                self._defer(statement, scope)
            case nodes.Do():
                self._do(statement, scope)
            case nodes.If():
                return self._if(statement, scope)
            case nodes.Match():
                return self._match(statement, scope)
            case nodes.Handoff():
                return self._handoff(statement, scope)
            case nodes.Set(name, value):
                assigned = self._values.expression(value)
                self.emit(lambda: program.Assign(name.text, assigned), scope)
            case nodes.Clear(names):
                self.emit(lambda: program.Clear(tuple(name.text for name in names)), scope)
            case nodes.Mark(milestone):
                text = self._values.template(milestone)
                self.emit(lambda: program.Mark(text), scope)
            case nodes.Goto() | nodes.End() | nodes.Resume() | nodes.Reject():
                self._leave(statement, scope)
                return False
            case _:
                assert_never(statement)
        return True

    # ------------------------------------------------------------------------------------------------------ statements

    def _say(self, say: nodes.Say, scope: Scope) -> None:
        made = program.Say(
            self._values.templates(say.texts),
            self._values.templates(say.buttons),
            self._values.templates(say.images),
            tuple(
                program.Link(self._values.template(link.label), self._values.template(link.url)) for link in say.links
            ),
        )
        self.emit(lambda: made, scope)

    def _ask(self, ask: nodes.Ask, scope: Scope) -> None:
        arms, after = labelled(ask.arms), Label()
        slots = tuple(slot.text for slot in ask.slots)
        question = self._values.optional_template(ask.question)
        wait_arms = self._tables.waits(arms)
        at = self.emit(
            lambda: program.Ask(f"{scope.place}.ask", slots, question, wait_arms(), after.at),
            scope,
        )
        scope.asks.update(dict.fromkeys(slots, at))
        self._arms(arms, at, scope.within(at))
        self.place(after)

    def _choose(self, choose: nodes.Choose, scope: Scope) -> None:
        arms, after = labelled(choose.arms), Label()
        name = choose.name.text
        items = self._values.expression(choose.items)
        question = self._values.template(choose.question)
        show = self._values.optional_template(choose.show)
        wait_arms = self._tables.waits(arms)
        empty = next((label for arm, label in arms if self._tables.has_kind(arm, "empty")), after)
        wait = f"{scope.place}.choose.{name}"
        at = self.emit(
            lambda: program.Choose(wait, name, items, question, show, wait_arms(), empty.at, after.at),
            scope,
        )
        self._arms(arms, at, scope.within(at))
        self.place(after)

    def _listen(self, listen: nodes.Listen, scope: Scope, said: Label | None) -> bool:
        arms, after = labelled(listen.arms), Label()
        wait_arms = self._tables.waits(arms)
        at = self.emit(
            lambda: program.Listen(f"{scope.place}.listen", wait_arms(), None if said is None else said.at),
            scope,
        )
        return self._inline(arms, after, scope.within(at))

    def _inline(self, arms: Arms, after: Label, scope: Scope) -> bool:
        """The arms of a statement at their labels, and `after` behind them; whether one of them comes out there."""
        comes_out = False
        for index, (arm, label) in enumerate(arms):
            self.place(label)
            if self._block(arm.body, scope):
                comes_out = True
                if index < len(arms) - 1:
                    self._jump(after, scope)
        self.place(after)
        return comes_out

    def _reads(self, group: Group, scope: Scope) -> bool:
        calls = tuple(self._call(call, scope) for call in group)
        self._span = group[0].span
        self.emit(lambda: program.Reads(calls), scope)
        for call, made in zip(group, calls, strict=True):
            self._failed(call, made.place, scope)
        return True

    def _failed(self, call: nodes.Call, place: str, scope: Scope) -> None:
        arms, join = labelled(call.arms), Label()
        failure_arms = self._tables.failures(arms)
        self.emit(lambda: program.Failed(place, failure_arms()), scope)
        self.place(join)
        self._pending.append(Pending(arms, join, scope))

    def _write(self, call: nodes.Call, scope: Scope) -> None:
        made = self._call(call, scope)
        arms, join = labelled(call.arms), Label()
        failure_arms = self._tables.failures(arms)
        self.emit(lambda: program.Write(made, failure_arms()), scope)
        self.place(join)
        self._pending.append(Pending(arms, join, scope))

    def _call(self, call: nodes.Call, scope: Scope) -> program.Call:
        service, operation = call.service.text, call.operation.text
        return program.Call(
            scope.numbered(f"{service}.{operation}"),
            service,
            operation,
            self._values.arguments(call.arguments),
            None if call.target is None else call.target.text,
        )

    def _defer(self, defer: nodes.Defer, scope: Scope) -> None:
        service, operation = defer.service.text, defer.operation.text
        place = scope.numbered(f"defer.{service}.{operation}")
        call = program.Call(place, service, operation, self._values.arguments(defer.arguments))
        arms = labelled(defer.arms)
        within = DEFER_WITHIN_MS if defer.within is None else defer.within.ms
        done = [(label, pattern) for arm, label in arms for pattern in arm.patterns]
        result = next((each for each in done if isinstance(each[1], nodes.DonePattern)), None)
        name = result[1].name if result and isinstance(result[1], nodes.DonePattern) else None
        self.emit(
            lambda: program.Defer(
                call,
                defer.priority,
                within,
                index_of(result[0] if result else None),
                None if name is None else name.text,
                index_of(next((label for arm, label in arms if self._tables.has_kind(arm, "job_failed")), None)),
                index_of(next((label for arm, label in arms if self._tables.has_kind(arm, "kind")), None)),
            ),
            scope,
        )
        self._pending.append(Pending(arms, None, scope.of_job()))

    def _do(self, do: nodes.Do, scope: Scope) -> None:
        arms, after = labelled(do.arms), Label()
        arguments = self._values.arguments(do.arguments)
        flow = self._model.called[do]
        target = None if do.target is None else do.target.text
        named = [
            (pattern.name.text, label)
            for arm, label in arms
            for pattern in arm.patterns
            if isinstance(pattern, nodes.NamePattern)
        ]
        self.emit(
            lambda: program.Do(
                f"{scope.place}.do.{flow}",
                flow,
                arguments,
                target,
                {name: label.at for name, label in named},
                after.at,
            ),
            scope,
        )
        self._inline(arms, after, scope)

    def _if(self, statement: nodes.If, scope: Scope) -> bool:
        after, comes_out = Label(), False
        for index, branch in enumerate(statement.branches):
            last = index == len(statement.branches) - 1
            otherwise = Label()
            if branch.condition is not None:
                self._branch(branch.condition, otherwise, scope)
                comes_out = comes_out or last
            if self._block(branch.body, scope):
                comes_out = True
                if not last:
                    self._jump(after, scope)
            self.place(otherwise)
        self.place(after)
        return comes_out

    def _branch(self, condition: nodes.Expression, otherwise: Label, scope: Scope) -> None:
        test = self._values.expression(condition)
        self._span = condition.span
        self.emit(lambda: program.Branch(test, otherwise.at), scope)

    def _match(self, match: nodes.Match, scope: Scope) -> bool:
        arms, after = labelled(match.arms), Label()
        subject = self._values.expression(match.subject)
        cases = [
            (constant(pattern.value), label)
            for arm, label in arms
            for pattern in arm.patterns
            if isinstance(pattern, nodes.LiteralPattern)
        ]
        otherwise = next((label for arm, label in arms if is_else(arm)), after)
        self.emit(
            lambda: program.Match(
                subject, tuple(program.Case(value, label.at) for value, label in cases), otherwise.at
            ),
            scope,
        )
        return self._inline(arms, after, scope)

    def _handoff(self, handoff: nodes.Handoff, scope: Scope) -> bool:
        arms, after = labelled(handoff.arms), Label()
        queue = self._values.template(handoff.queue)
        returned = next((label for arm, label in arms if self._tables.has_kind(arm, "returned")), None)
        unavailable = next((label for arm, label in arms if self._tables.has_kind(arm, "unavailable")), None)
        self.emit(
            lambda: program.Handoff(f"{scope.place}.handoff", queue, index_of(returned), index_of(unavailable)),
            scope,
        )
        return self._inline(arms, after, scope)

    def _leave(self, statement: nodes.Goto | nodes.End | nodes.Resume | nodes.Reject, scope: Scope) -> None:
        match statement:
            case nodes.Goto(state):
                self.emit(lambda: program.Goto(state.text), scope)
            case nodes.End(outcome):
                self.emit(lambda: program.End(None if outcome is None else outcome.text), scope)
            case nodes.Resume():
                self._resume(statement, scope)
            case nodes.Reject(slot, text):
                ask, said = scope.asks[slot.text], self._values.template(text)
                self.emit(lambda: program.Reject(slot.text, said, ask.at), scope)
            case _:
                assert_never(statement)

    def _resume(self, resume: nodes.Resume, scope: Scope) -> None:
        made = program.Resume(resume.up_to, None if resume.then is None else resume.then.text)
        at = self.emit(lambda: made, scope)
        if scope.owner is not None:
            self.resumes[at.at] = scope.owner
