"""What the tree alone shows to be out of place, missing or reserved. Needs no other file and no meaning of a name."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.mistakes import duplicate, misplaced, reserved
from flowc.dsl.nodes import (
    AnywhereDeclaration,
    Arm,
    Ask,
    Call,
    ChangePattern,
    Choose,
    Clear,
    Declaration,
    Defer,
    Do,
    DonePattern,
    ElsePattern,
    End,
    EventDeclaration,
    FlowFile,
    FlowHeader,
    Goto,
    Handoff,
    If,
    IntentDeclaration,
    LibraryHeader,
    Listen,
    LiteralPattern,
    Mark,
    Match,
    MigrateDeclaration,
    Name,
    NamePattern,
    Pattern,
    Reject,
    Resume,
    Say,
    ServiceDeclaration,
    Set,
    SilencePattern,
    SlotDeclaration,
    StateDeclaration,
    Statement,
    TypeDeclaration,
)
from flowc.dsl.service_lines import service_lines
from flowc.dsl.source import Span
from flowc.dsl.tokens import RESERVED_AFTER_ON

__all__ = ["placement"]

Report = Callable[[Diagnostic], None]

# What may stand behind `on` under each owner of arms; `else` counts as one.
ARMS_OF: Final[Mapping[str, frozenset[str]]] = {
    "listen": frozenset(("name", "change", "silence", "else")),
    "ask": frozenset(("name", "change", "silence", "else")),
    "choose": frozenset(("name", "change", "silence", "else")),
    "call": frozenset(("name", "else")),
    "do": frozenset(("name", "else")),
    "defer": frozenset(("name", "done")),
    "handoff": frozenset(("name",)),
    "match": frozenset(("literal", "else")),
    "anywhere": frozenset(("name", "silence", "else")),
}
BELONGS: Final[Mapping[str, str]] = {
    "name": "a `match` has arms for texts, numbers, `true`, `false` and `none`",
    "change": "`on change` belongs under a `listen`, an `ask` or a `choose`",
    "silence": "`on silence` belongs under a `listen`, an `ask`, a `choose`, or in `anywhere`",
    "done": "`on done` belongs under a `defer`",
    "literal": "an arm for a value belongs under a `match`",
    "else": "write an arm for each outcome",
}
WAITERS: Final = frozenset(("listen", "ask", "choose", "anywhere"))
WAIT_ELSEWHERE: Final = "an arm here does not wait: put the questions into a flow of their own, and run it with `do`"


def placement(file: FlowFile, lost_at: Iterable[int]) -> tuple[Diagnostic, ...]:
    """All such mistakes of `file`. Where a line is not in the tree (`lost_at`), nothing around it is missed."""
    found: list[Diagnostic] = []
    match file.header:
        case LibraryHeader():
            not_shared(file.declarations, found.append)
        case FlowHeader():
            plain = [line for line in file.header.priorities if line.when is None]
            found.extend(duplicate("priority", line.span, plain[0].span) for line in plain[1:])
        case None:
            pass
    lost = sorted(lost_at)
    ends = [*(declaration.span.start for declaration in file.declarations[1:]), file.span.end]
    for declaration, end in zip(file.declarations, ends, strict=False):
        first, last = bisect_left(lost, declaration.span.start), bisect_left(lost, end)
        look_at(declaration, lost[first:last], found.append)
    return tuple(found)


def not_shared(declarations: Iterable[Declaration], report: Report) -> None:
    """A library shares declarations and runs nothing."""
    for declaration in declarations:
        match declaration:
            case StateDeclaration(name=name):
                word, span = "state", name.span
            case AnywhereDeclaration(span=span):
                word, span = "anywhere", Span(span.path, span.start, span.start + len("anywhere"))
            case MigrateDeclaration(span=span):
                word, span = "migrate", Span(span.path, span.start, span.start + len("migrate"))
            case _:
                continue
        report(misplaced(word, span, "a library has no states: it belongs in a flow"))


def look_at(declaration: Declaration, lost: Sequence[int], report: Report) -> None:
    match declaration:
        case IntentDeclaration(name=name):
            not_after_on(name, "an intent", report)
        case EventDeclaration(name=name):
            not_after_on(name, "an event", report)
        case ServiceDeclaration():
            service_lines(declaration, lost, report)
            for operation in declaration.operations:
                for line in operation.fails:
                    for failure in line.failures:
                        not_after_on(failure.name, "a failure", report)
        case StateDeclaration(body=body):
            Body(report, whole=not lost).statements(body)
        case AnywhereDeclaration(arms=arms):
            Body(report, whole=not lost, handler=True).arms("anywhere", arms)
        case TypeDeclaration() | SlotDeclaration() | MigrateDeclaration():
            pass
        case _:
            assert_never(declaration)


def not_after_on(name: Name, what: str, report: Report) -> None:
    if name.text in RESERVED_AFTER_ON:
        report(reserved(name, what))


@dataclass(slots=True)
class Body:
    """The statements of one state, or of `anywhere`, in source order; `asked` are the slots of the `ask`s so far."""

    report: Report
    whole: bool  # no line of it is left out of the tree
    handler: bool = False  # inside an arm that interrupts, which does not wait
    asked: set[str] = field(default_factory=set)

    def statements(self, body: Iterable[Statement]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, statement: Statement) -> None:
        match statement:
            case Ask():
                self.waits("ask", statement.span)
                self.asked.update(slot.text for slot in statement.slots)
                self.arms("ask", statement.arms)
            case Choose():
                self.waits("choose", statement.span)
                self.arms("choose", statement.arms)
            case Listen():
                self.waits("listen", statement.span)
                self.arms("listen", statement.arms)
            case Handoff():
                if statement.arms:
                    self.waits("handoff", statement.span)
                self.arms("handoff", statement.arms)
            case Call():
                self.arms("call", statement.arms)
            case Do():
                self.arms("do", statement.arms)
            case Defer():
                Body(self.report, whole=self.whole, handler=True).arms("defer", statement.arms)
            case Match():
                self.arms("match", statement.arms)
            case If():
                for branch in statement.branches:
                    self.statements(branch.body)
            case Reject():
                if self.whole and statement.slot.text not in self.asked:
                    self.report(reject_without_ask(statement))
            case End(outcome=outcome):
                if outcome:
                    not_after_on(outcome, "an outcome", self.report)
            case Say() | Set() | Clear() | Goto() | Resume() | Mark():
                pass
            case _:
                assert_never(statement)

    def waits(self, word: str, span: Span) -> None:
        if self.handler:
            what = "a `handoff` with arms" if word == "handoff" else word
            self.report(misplaced(what, Span(span.path, span.start, span.start + len(word)), WAIT_ELSEWHERE))

    def arms(self, owner: str, arms: Iterable[Arm]) -> None:
        for arm in arms:
            for pattern in arm.patterns:
                kind = kind_of(pattern)
                if kind not in ARMS_OF[owner]:
                    self.report(misplaced(said(kind), pattern.span, BELONGS[kind]))
            if arm.when is not None and not may_have_when(owner, arm):
                belongs = "only an arm for an intent or an event has a condition: write an `if` under it"
                self.report(misplaced("when", arm.when.span, belongs))
            self.statements(arm.body)


def may_have_when(owner: str, arm: Arm) -> bool:
    names = (pattern.name.text for pattern in arm.patterns if isinstance(pattern, NamePattern))
    return (
        owner in WAITERS
        and not any(name in RESERVED_AFTER_ON for name in names)
        and {"name"} == {kind_of(pattern) for pattern in arm.patterns}
    )


def kind_of(pattern: Pattern) -> str:
    match pattern:
        case NamePattern():
            return "name"
        case ChangePattern():
            return "change"
        case SilencePattern():
            return "silence"
        case DonePattern():
            return "done"
        case LiteralPattern():
            return "literal"
        case ElsePattern():
            return "else"
        case _:
            assert_never(pattern)


def said(kind: str) -> str:
    match kind:
        case "name":
            return "an arm for a name"
        case "literal":
            return "an arm for a value"
        case "else":
            return "else"
        case _:
            return f"`on {kind}`"


def reject_without_ask(statement: Reject) -> Diagnostic:
    name = statement.slot
    return misplaced(
        f"`reject {name.text}`",
        name.span,
        f"it goes back to an `ask {name.text}` before it in the same state, and there is none",
    )
