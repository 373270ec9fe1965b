"""What a drawing of a flow shows: boxes and arrows with short labels, read from its program. Knows no format."""

from dataclasses import dataclass
from typing import Final, Literal

from flowc.compiler.spelling import spelled, spelled_template
from flowc.runtime.durations import spelled_duration
from flowc.runtime.program import (
    Ask,
    Branch,
    Choose,
    Defer,
    Do,
    End,
    Failed,
    FailureArms,
    Flow,
    Goto,
    Handoff,
    Jump,
    Listen,
    Match,
    Reject,
    Resume,
    Target,
    WaitArms,
    Write,
)

__all__ = ["Arrow", "ArrowKind", "Box", "Mark", "Picture", "picture"]

BoxKind = Literal["start", "state", "flow", "end", "handoff", "anywhere"]
Mark = Literal["", "added", "removed", "changed"]
ArrowKind = Literal["plain", "failure", "silence", "job", "handler"]
LONGEST: Final = 26


@dataclass(frozen=True, slots=True)
class Box:
    """`urgent` and the like stand in `priority`; it is empty for most. `mark` says what came of it between two
    versions."""

    kind: BoxKind
    text: str
    priority: str = ""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box to another, by their numbers. `labels` say when: an intent, a failure, a silence. `mark` as for a
    box."""

    source: int
    target: int
    kind: ArrowKind
    labels: tuple[str, ...]
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The boxes and arrows of one flow, in the order of its code."""

    flow: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def picture(flow: Flow) -> Picture:
    """The picture of `flow`. Linear in its code for each label that leads to it."""
    return _Sketch(flow).picture()


class _Sketch:
    """Collects boxes and arrows."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._boxes: dict[Box, int] = {}
        self._arrows: dict[tuple[int, int, ArrowKind], dict[str, None]] = {}
        self._states: dict[str, int] = {}
        self._conditions: set[str] = set()
        self._seen: set[tuple[int, Target, str, ArrowKind]] = set()

    def picture(self) -> Picture:
        flow = self._flow
        start = self._box(Box("start", flow.name))
        for state in flow.states.values():
            priority = state.priority.priority if state.priority else ""
            self._states[state.name] = self._box(Box("state", state.name, priority))
        self._arrow(start, self._states[flow.start], "", "plain")
        for state in flow.states.values():
            self._follow(self._states[state.name], state.entry, "", "plain")
        self._anywhere()
        arrows = (Arrow(*ends, self._shown(labels)) for ends, labels in self._arrows.items())
        return Picture(flow.name, tuple(self._boxes), tuple(arrows))

    def _shown(self, labels: dict[str, None]) -> tuple[str, ...]:
        """The labels of an arrow. Where one gets there without a condition too, conditions say nothing."""
        hidden = self._conditions if "" in labels else frozenset()
        return tuple(label for label in labels if label and label not in hidden)

    def _condition(self, label: str, text: str) -> str:
        """The label behind a condition: what led to it, else the condition itself."""
        if label:
            return label
        shown = text if len(text) <= LONGEST else "if …"
        self._conditions.add(shown)
        return shown

    def _box(self, box: Box) -> int:
        return self._boxes.setdefault(box, len(self._boxes))

    def _arrow(self, source: int, target: int, label: str, kind: ArrowKind) -> None:
        self._arrows.setdefault((source, target, kind), {})[label] = None

    def _anywhere(self) -> None:
        anywhere = self._flow.anywhere
        if anywhere.arms == WaitArms() and anywhere.failure is None and anywhere.unknown is None:
            return
        box = self._box(Box("anywhere", "anywhere"))
        self._waiting(box, anywhere.arms, "handler")
        for label, to in (("failure", anywhere.failure), ("unknown", anywhere.unknown)):
            if to is not None:
                self._follow(box, to, label, "failure")

    def _follow(self, box: int, start: Target, label: str, kind: ArrowKind) -> None:
        """Draws where control goes from `start`, which belongs to `box`."""
        pending = [(box, start, label, kind)]
        while pending:
            place = pending.pop()
            if place in self._seen or place[1] >= len(self._flow.code):
                continue
            self._seen.add(place)
            pending.extend(reversed(self._step(*place)))

    def _step(self, box: int, at: Target, label: str, kind: ArrowKind) -> list[tuple[int, Target, str, ArrowKind]]:
        """The places behind one instruction; arrows that leave the box are drawn."""
        match self._flow.code[at]:
            case Goto(state):
                self._arrow(box, self._states[state], label, kind)
                return []
            case Resume(up_to, then):
                if then is not None:
                    self._arrow(box, self._states[then], f"{label or 'resume'}, after {up_to}", kind)
                return []
            case End(outcome):
                self._arrow(box, self._box(Box("end", outcome or "end")), label, kind)
                return []
            case Handoff(queue=queue, returned=returned, unavailable=unavailable):
                people = self._box(Box("handoff", _short(spelled_template(queue)[1:-1])))
                self._arrow(box, people, label, kind)
                answers: tuple[tuple[str, Target | None, ArrowKind], ...] = (
                    ("returned", returned, "plain"),
                    ("unavailable", unavailable, "failure"),
                )
                return [(people, to, name, of) for name, to, of in answers if to is not None]
            case Do(wait, flow, outcomes=outcomes, next=after):
                called = self._box(Box("flow", flow, wait))
                self._arrow(box, called, label, kind)
                named: list[tuple[int, Target, str, ArrowKind]] = [
                    (called, to, outcome, "plain") for outcome, to in outcomes.items()
                ]
                return [*named, (called, after, "", "plain")]
            case Reject():
                return []
            case Jump(to):
                # Back to where the plain way goes on anyway: an arm of a call, or of a question that is asked again.
                return [(box, to, label, kind)] if to > at else []
            case Branch(condition, otherwise):
                holds = self._condition(label, spelled(condition))
                return [(box, at + 1, holds, kind), (box, otherwise, label, kind)]
            case Match(cases=cases, otherwise=otherwise):
                return [
                    *((box, case.to, self._condition(label, spelled(case.value)), kind) for case in cases),
                    (box, otherwise, label, kind),
                ]
            case Listen(arms=arms):
                self._waiting(box, arms, "plain")
                return []
            case Ask(arms=arms, next=after):
                self._waiting(box, arms, "plain")
                return [(box, after, label, kind)]
            case Choose(arms=arms, empty=empty, next=after):
                self._waiting(box, arms, "plain")
                return [(box, empty, "empty", "failure"), (box, after, label, kind)]
            case Failed(arms=failures) | Write(arms=failures):
                return [*_failing(box, failures), (box, at + 1, label, kind)]
            case Defer(done=done, failed=failed, unknown=unknown):
                jobs = (("done", done), ("failed", failed), ("unknown", unknown))
                behind: list[tuple[int, Target, str, ArrowKind]] = [
                    (box, to, f"job {name}", "job") for name, to in jobs if to is not None
                ]
                return [*behind, (box, at + 1, label, kind)]
            case _:
                return [(box, at + 1, label, kind)]

    def _waiting(self, box: int, arms: WaitArms, kind: ArrowKind) -> None:
        for table in (arms.intents, arms.events):
            for name, guarded in table.items():
                for each in guarded:
                    self._follow(box, each.to, name, kind)
        for change in arms.changes:
            self._follow(box, change.to, f"change {', '.join(change.slots)}", kind)
        for silence in arms.silences:
            self._follow(box, silence.to, f"silence {spelled_duration(silence.after_ms)}", "silence")
        if arms.otherwise is not None:
            self._follow(box, arms.otherwise, "else", kind)


def _failing(box: int, arms: FailureArms) -> list[tuple[int, Target, str, ArrowKind]]:
    named: list[tuple[int, Target, str, ArrowKind]] = [(box, to, name, "failure") for name, to in arms.named.items()]
    return named if arms.otherwise is None else [*named, (box, arms.otherwise, "fails", "failure")]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
