"""A flow as SVG: boxes in layers, arrows round them, labels on the arrows. Coordinates of the layers are
fast-sugiyama's.

Colours are given twice, for light and for dark, so that the picture can stand on any page. Nothing is fetched and no
script runs; every word of an author is escaped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from flowc.compiler.picture import Arrow, Box, Mark, Picture, picture
from flowc.runtime.program import Program

__all__ = ["drawn_svg", "svg"]

LAYER: Final = 112  # from the middle of one layer to the next
BOX_HEIGHT: Final = 38
LETTER: Final = 7.3  # width of a letter of a box, on average
SMALL_LETTER: Final = 6.0
GAP: Final = 34
MARGIN: Final = 28
LABEL_LINES: Final = 3
STYLE: Final = """
  text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1c2430; text-anchor: middle }
  .page { fill: #ffffff }
  .box { fill: #eef3fb; stroke: #5b7db1; stroke-width: 1.3 }
  .flow { fill: #f1ecfb; stroke: #7d63b5 }
  .start, .end { fill: #e6f4ea; stroke: #3d8b57 }
  .handoff { fill: #fdf1dc; stroke: #b7791f }
  .anywhere { fill: #f5f6f8; stroke: #7a8594; stroke-dasharray: 5 3 }
  .label { font-size: 11px; fill: #45526a }
  .priority { font-size: 9.5px; fill: #6b7890 }
  .arrow { fill: none; stroke: #6b7890; stroke-width: 1.3 }
  .failure { stroke: #c2543d }
  .silence, .job { stroke: #9aa5b5; stroke-dasharray: 4 4 }
  .handler { stroke: #7a8594; stroke-dasharray: 2 3 }
  .head { fill: #6b7890; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e9f2 }
    .page { fill: #14181f }
    .box { fill: #1f2a3d; stroke: #7f9fd1 }
    .flow { fill: #2a2340; stroke: #a48bdc }
    .start, .end { fill: #17301f; stroke: #69b985 }
    .handoff { fill: #382a12; stroke: #d9a047 }
    .anywhere { fill: #1d222b; stroke: #8a95a6 }
    .label { fill: #b6c1d4 }
    .priority { fill: #94a1b8 }
    .arrow { stroke: #94a1b8 }
    .failure { stroke: #e5826b }
    .silence, .job { stroke: #66738a }
    .handler { stroke: #8a95a6 }
    .head { fill: #94a1b8 }
  }
"""

MARKS: Final = """
  .added { stroke: #1a7f37; stroke-width: 2.4 } .box.added { fill: #dafbe1 }
  .removed { stroke: #cf222e; stroke-width: 2; stroke-dasharray: 3 4 } .box.removed { fill: #ffebe9 }
  .changed { stroke: #bf8700; stroke-width: 2.4 } .box.changed { fill: #fff8c5 }
  @media (prefers-color-scheme: dark) {
    .added { stroke: #3fb950 } .box.added { fill: #12361f }
    .removed { stroke: #f85149 } .box.removed { fill: #421a1d }
    .changed { stroke: #d29922 } .box.changed { fill: #3b2f10 }
  }
"""

HEAD: Final = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="head" d="M0 0 8 4 0 8z"/></marker></defs>'
)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the middle of each box is, and through which points each arrow between two boxes goes."""

    boxes: dict[int, Point]
    bends: dict[tuple[int, int], tuple[Point, ...]]
    width: float
    height: float


def svg(program: Program, flow: str) -> str:
    """`flow` as an SVG document."""
    return drawn_svg(picture(program.flows[flow]), f"The states of {flow}")


def drawn_svg(drawn: Picture, title: str) -> str:
    """`drawn` as an SVG document. What is marked in it has the colour of its mark."""
    placed = _placed(drawn)
    width, height = round(placed.width), round(placed.height)
    title = escape(title)
    is_marked = any(box.mark for box in drawn.boxes) or any(arrow.mark for arrow in drawn.arrows)
    style = STYLE + MARKS if is_marked else STYLE
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} role="img">',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
        HEAD,
        f'<rect class="page" {size} rx="8"/>',
        *(_arrow(arrow, placed, drawn) for arrow in drawn.arrows),
        *(_box(box, placed.boxes[number]) for number, box in enumerate(drawn.boxes)),
        *_labels(drawn, placed),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------------------------------------------------- places


def _placed(drawn: Picture) -> Placed:
    """Layers from top to bottom; parts that do not hang together stand side by side."""
    from fast_sugiyama import from_edges

    edges = sorted({(arrow.source, arrow.target) for arrow in drawn.arrows if arrow.source != arrow.target})
    column = max(_width(box) for box in drawn.boxes) + GAP
    boxes: dict[int, Point] = {}
    bends: dict[tuple[int, int], tuple[Point, ...]] = {}
    left, height = float(MARGIN), 0.0
    for positions, _, _, segments in from_edges(edges, vertex_spacing=1, dummy_vertices=True):
        low = min(x for _, (x, _) in positions)
        top = max(y for _, (_, y) in positions)
        places = {
            int(node): (left + column / 2 + (x - low) * column, MARGIN + BOX_HEIGHT / 2 + (top - y) * LAYER)
            for node, (x, y) in positions
        }
        bends.update(_bends(len(drawn.boxes), [(int(a), int(b)) for a, b in segments or ()], places))
        boxes.update({node: place for node, place in places.items() if node < len(drawn.boxes)})
        left = max(x for x, _ in places.values()) + column / 2
        height = max(height, *(y for _, y in places.values()))
    for number in range(len(drawn.boxes)):
        if number not in boxes:
            boxes[number] = (left + column / 2, MARGIN + BOX_HEIGHT / 2)
            left += column
    return Placed(boxes, bends, left + MARGIN, height + BOX_HEIGHT / 2 + MARGIN)


def _bends(
    count: int, segments: list[tuple[int, int]], places: dict[int, Point]
) -> Iterator[tuple[tuple[int, int], tuple[Point, ...]]]:
    """The points between two boxes, where their arrow crosses other layers. Numbers from `count` on are such points."""
    onward = {source: target for source, target in segments if source >= count}
    for source, target in segments:
        if source < count:
            points, end = [], target
            while end >= count:
                points.append(places[end])
                end = onward[end]
            yield (source, end), tuple(points)


def _width(box: Box) -> float:
    return max(64.0, len(_words(box)) * LETTER + 26)


def _words(box: Box) -> str:
    return f"handoff: {box.text}" if box.kind == "handoff" else box.text


# -------------------------------------------------------------------------------------------------------------- shapes


def _box(box: Box, place: Point) -> str:
    x, y = place
    width = _width(box)
    left, top = x - width / 2, y - BOX_HEIGHT / 2
    radius = {"start": 19, "end": 19, "flow": 2, "anywhere": 12}.get(box.kind, 7)
    frame = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="{radius}"'
    parts = [f'<rect class="box {box.kind}{_marked(box.mark)}" {frame}/>']
    if box.kind == "flow":
        sides = (left + 6, left + width - 6)
        parts += [f'<path class="box flow" d="M{side:.1f} {top:.1f}v{BOX_HEIGHT}"/>' for side in sides]
    if box.kind == "end":
        inner = f'x="{left + 3:.1f}" y="{top + 3:.1f}" width="{width - 6:.1f}" height="{BOX_HEIGHT - 6}" rx="16"'
        parts.append(f'<rect class="box end" {inner}/>')
    raised = box.kind == "state" and box.priority != ""
    parts.append(f'<text x="{x:.1f}" y="{y + (1 if raised else 4.5):.1f}">{escape(_words(box))}</text>')
    if raised:
        parts.append(f'<text class="priority" x="{x:.1f}" y="{y + 13:.1f}">{escape(box.priority)}</text>')
    return "".join(parts)


def _marked(mark: Mark) -> str:
    return f" {mark}" if mark else ""


def _arrow(arrow: Arrow, placed: Placed, drawn: Picture) -> str:
    points = _points(arrow, placed, drawn)
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        bend = (to_y - y) / 2
        path += f"C{x:.1f} {y + bend:.1f} {to_x:.1f} {to_y - bend:.1f} {to_x:.1f} {to_y:.1f}"
    if arrow.source == arrow.target:
        (x, y), (to_x, to_y) = points
        path = f"M{x:.1f} {y:.1f}c26 -8 26 {to_y - y + 8:.1f} 0 {to_y - y:.1f}"
    return f'<path class="arrow {arrow.kind}{_marked(arrow.mark)}" marker-end="url(#head)" d="{path}"/>'


def _points(arrow: Arrow, placed: Placed, drawn: Picture) -> tuple[Point, ...]:
    """From the edge of one box, through the bends, to the edge of the other. Arrows beside each other keep apart."""
    x, y = placed.boxes[arrow.source]
    to_x, to_y = placed.boxes[arrow.target]
    half = BOX_HEIGHT / 2
    if arrow.source == arrow.target:
        side = x + _width(drawn.boxes[arrow.source]) / 2
        return ((side, y - 8), (side, y + 8))
    down = 1 if to_y >= y else -1
    inner = placed.bends.get((arrow.source, arrow.target), ())
    toward = inner[0][0] if inner else to_x
    from_ = inner[-1][0] if inner else x
    shift = 9.0 * _beside(arrow, drawn)
    start = (x + _lean(toward - x) + shift, y + down * half)
    end = (to_x + _lean(from_ - to_x) + shift, to_y - down * half)
    return (start, *inner, end)


def _lean(distance: float) -> float:
    """How far from the middle of a box an arrow to or from the side touches it."""
    return max(-22.0, min(22.0, distance / 6))


def _beside(arrow: Arrow, drawn: Picture) -> int:
    """Which of the arrows between the same two boxes this is."""
    ends = {arrow.source, arrow.target}
    same = [each for each in drawn.arrows if {each.source, each.target} == ends]
    return same.index(arrow)


def _labels(drawn: Picture, placed: Placed) -> Iterator[str]:
    """Labels near where their arrows begin, moved down where another one stands already."""
    taken: list[tuple[float, float, float, float]] = []
    for arrow in drawn.arrows:
        shown = [*arrow.labels[: LABEL_LINES - 1], "…"] if len(arrow.labels) > LABEL_LINES else arrow.labels
        if not shown:
            continue
        points = _points(arrow, placed, drawn)
        (x, y), (to_x, to_y) = points[0], points[1]
        width, height = max(map(len, shown)) * SMALL_LETTER, 13.0 * len(shown)
        if arrow.source == arrow.target:
            at = (x + 24 + width / 2, y + 8)
        else:
            at = _free(taken, (x, y), (to_x, to_y), width, height)
        taken.append((at[0] - width / 2, at[1] - height / 2, at[0] + width / 2, at[1] + height / 2))
        corner = f'x="{at[0] - width / 2 - 2:.1f}" y="{at[1] - height / 2:.1f}"'
        yield f'<rect class="page" {corner} width="{width + 4:.1f}" height="{height:.0f}" rx="3"/>'
        for line, text in enumerate(shown):
            top = at[1] - height / 2 + 13 * line + 10
            yield f'<text class="label" x="{at[0]:.1f}" y="{top:.1f}">{escape(text)}</text>'


def _free(
    taken: list[tuple[float, float, float, float]], start: Point, end: Point, width: float, height: float
) -> Point:
    """A point of the curve from `start` to `end` where a label of this size hides no other; the middle where there is
    none."""
    for share in (0.5, 0.36, 0.64, 0.24, 0.76, 0.14, 0.86):
        x, y = _on_curve(start, end, share)
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if not any(_overlap(box, other) for other in taken):
            return (x, y)
    return _on_curve(start, end, 0.5)


def _on_curve(start: Point, end: Point, share: float) -> Point:
    """The point of the arrow's cubic curve at `share` of its parameter."""
    rest = 1 - share
    middle = (start[1] + end[1]) / 2
    weights = (rest**3, 3 * rest**2 * share, 3 * rest * share**2, share**3)
    x = start[0] * (weights[0] + weights[1]) + end[0] * (weights[2] + weights[3])
    y = start[1] * weights[0] + middle * (weights[1] + weights[2]) + end[1] * weights[3]
    return (x, y)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
