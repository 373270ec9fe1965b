"""Two versions of a flow in one picture: what is in both, what came, what went, what changed."""

from collections.abc import Iterable, Mapping

from flowc.compiler.change import Change
from flowc.compiler.draw_svg import drawn_svg
from flowc.compiler.picture import Arrow, ArrowKind, Box, Mark, Picture, picture
from flowc.compiler.shapes import renamed
from flowc.runtime.program import Flow

__all__ = ["both", "changes_svg"]

Key = tuple[str, str]  # kind and text of a box, as the newer version has it
Line = tuple[Key, Key, ArrowKind]


def changes_svg(old: Flow, new: Flow, changes: Iterable[Change]) -> str:
    """Both versions as an SVG document: green is new, red is gone, yellow is another than it was."""
    return drawn_svg(both(old, new, changes), f"What changed in {new.name}, from {old.version} to {new.version}")


def both(old: Flow, new: Flow, changes: Iterable[Change]) -> Picture:
    """Both versions as one picture, the boxes and arrows of the newer one first. A state that has another name now has
    both."""
    names = renamed(old, new)
    touched = {each.name for each in changes if each.flow == new.name and each.subject in ("state", "text", "bound")}
    before, after = picture(old), picture(new)
    was = {to: name for name, to in names.items()}
    boxes: dict[Key, Box] = {}
    for box in after.boxes:
        key = _key(box, {})
        boxes[key] = Box(box.kind, _text(box, was), box.priority, _mark(box, before, names, touched))
    for box in before.boxes:
        boxes.setdefault(_key(box, names), Box(box.kind, box.text, box.priority, "removed"))
    numbers = {key: number for number, key in enumerate(boxes)}
    gone, come = _lines(before, names), _lines(after, {})
    arrows = []
    for line in [*come, *(line for line in gone if line not in come)]:
        labels, mark = _labels(gone.get(line), come.get(line))
        arrows.append(Arrow(numbers[line[0]], numbers[line[1]], line[2], labels, mark))
    return Picture(new.name, tuple(boxes.values()), tuple(arrows))


def _key(box: Box, names: Mapping[str, str]) -> Key:
    return box.kind, names.get(box.text, box.text) if box.kind == "state" else box.text


def _text(box: Box, was: Mapping[str, str]) -> str:
    return f"{box.text}, was {was[box.text]}" if box.kind == "state" and box.text in was else box.text


def _mark(box: Box, before: Picture, names: Mapping[str, str], touched: set[str]) -> Mark:
    if _key(box, {}) not in {_key(each, names) for each in before.boxes}:
        return "added"
    is_state = box.kind in ("state", "anywhere")
    return "changed" if is_state and (box.text in touched or box.text in names.values()) else ""


def _lines(drawn: Picture, names: Mapping[str, str]) -> dict[Line, tuple[str, ...]]:
    """The labels of each arrow by its ends."""
    keys = [_key(box, names) for box in drawn.boxes]
    return {(keys[each.source], keys[each.target], each.kind): each.labels for each in drawn.arrows}


def _labels(old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> tuple[tuple[str, ...], Mark]:
    """The labels of an arrow, with a sign before those that only one version has."""
    match old, new:
        case None, _:
            return new or (), "added"
        case _, None:
            return old or (), "removed"
        case _ if old == new:
            return old or (), ""
        case _:
            before, after = old or (), new or ()
            kept = tuple(label for label in after if label in before)
            come = tuple(f"+ {label}" for label in after if label not in before)
            gone = tuple(f"− {label}" for label in before if label not in after)
            return (*kept, *come, *gone), "changed" if come or gone else ""
