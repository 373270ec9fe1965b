"""Curves over time as one SVG document: panels below each other with a common time axis.

Colours are given twice, for light and for dark, so that the picture can stand on any page. Nothing is fetched and no
script runs. Curves are told apart by colour and by dashes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

__all__ = ["Curve", "Panel", "Span", "plot"]

WIDTH: Final = 860
PANEL: Final = 190  # height of a panel's area
LEFT: Final = 74
RIGHT: Final = 170  # for the names of the curves
ABOVE: Final = 46  # of a panel, for its title
TOP: Final = 34
BOTTOM: Final = 40
ENTRY: Final = 20  # height of a curve's name
COLOURS: Final = (
    ("#c2543d", "#e5826b"),
    ("#b7791f", "#d9a047"),
    ("#2f6fbd", "#7fb0ea"),
    ("#3d8b57", "#69b985"),
    ("#7d63b5", "#a48bdc"),
    ("#5b6675", "#a3afc0"),
)
DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 4")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` are seconds and values, in the order of time; a None value leaves a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves of one unit. `logarithmic`: each step of the axis is ten times the one below it."""

    title: str
    curves: Sequence[Curve]
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that is marked in each panel."""

    begins_s: float
    ends_s: float
    name: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a value stands: 0 at the bottom, 1 at the top."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        if self.logarithmic:
            return (log10(max(value, self.low)) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)


def plot(title: str, panels: Sequence[Panel], spans: Sequence[Span] = ()) -> str:
    """The document."""
    times = [at for panel in panels for curve in panel.curves for at, _ in curve.points] or [0.0]
    across = _linear(0.0, max(*times, 1.0), 8)
    heights = [max(PANEL, ENTRY * len(panel.curves)) for panel in panels]
    height = TOP + sum(ABOVE + each for each in heights) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style()}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        f'<text class="name" x="{LEFT}" y="24">{escape(title)}</text>',
    ]
    top = TOP
    for panel, area in zip(panels, heights, strict=True):
        top += ABOVE
        parts += _panel(panel, across, spans, top, area)
        top += area
    return "\n".join([*parts, "</svg>", ""])


def _style() -> str:
    lines = ["text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #1c2430 }"]
    lines += [".page { fill: #ffffff } .name { font-size: 15px; font-weight: 600 } .title { font-weight: 600 }"]
    lines += [".right { text-anchor: end } .middle { text-anchor: middle } .axis { fill: #45526a; font-size: 11px }"]
    lines += [".grid { stroke: #dde3ec; stroke-width: 1 } .span { fill: #f3efe2 } .curve { fill: none }"]
    lines += [".curve { stroke-width: 1.8; stroke-linejoin: round }"]
    lines += [f".c{number} {{ stroke: {light} }}" for number, (light, _) in enumerate(COLOURS)]
    lines += [f".c{number} {{ stroke-dasharray: {dashes} }}" for number, dashes in enumerate(DASHES) if dashes]
    dark = ["text { fill: #e4e9f2 } .page { fill: #14181f } .axis { fill: #b6c1d4 }"]
    dark += [".grid { stroke: #2b3442 } .span { fill: #2a2619 }"]
    dark += [f".c{number} {{ stroke: {colour} }}" for number, (_, colour) in enumerate(COLOURS)]
    return "\n".join(["", *lines, "@media (prefers-color-scheme: dark) {", *dark, "}", ""])


def _panel(panel: Panel, across: Axis, spans: Sequence[Span], top: float, area: float) -> Iterator[str]:
    values = [value for curve in panel.curves for _, value in curve.points if value is not None]
    up = _powers(values) if panel.logarithmic else _linear(0.0, max([*values, 1e-9]), 5)
    width = WIDTH - LEFT - RIGHT

    def point(at: float, value: float) -> Point:
        return LEFT + width * across.place(at), top + area * (1 - up.place(value))

    yield f'<text class="title" x="{LEFT}" y="{top - 12:.1f}">{escape(panel.title)}</text>'
    for span in spans:
        left, right = point(span.begins_s, up.low)[0], point(span.ends_s, up.low)[0]
        yield f'<rect class="span" x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{area}"/>'
        yield f'<text class="axis middle" x="{(left + right) / 2:.1f}" y="{top + 13:.1f}">{escape(span.name)}</text>'
    for value in up.ticks:
        y = point(0.0, value)[1]
        yield f'<line class="grid" x1="{LEFT}" x2="{LEFT + width}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="axis right" x="{LEFT - 8}" y="{y + 4:.1f}">{_number(value)}</text>'
    for at in across.ticks:
        x = point(at, up.low)[0]
        yield f'<text class="axis middle" x="{x:.1f}" y="{top + area + 16:.1f}">{_number(at)} s</text>'
    for number, curve in enumerate(panel.curves):
        style = f"curve c{number % len(COLOURS)}"
        if path := _path([(at, None if value is None else point(at, value)) for at, value in curve.points]):
            yield f'<path class="{style}" d="{path}"/>'
        x, y = LEFT + width + 14, top + 8 + ENTRY * number
        yield f'<path class="{style}" d="M{x} {y}h26"/>'
        yield f'<text x="{x + 32}" y="{y + 4}">{escape(curve.name)}</text>'


def _path(points: Sequence[tuple[float, Point | None]]) -> str:
    """Lines between the points, with gaps where there is none."""
    parts: list[str] = []
    is_down = False
    for _, point in points:
        if point is not None:
            parts.append(f"{'L' if is_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        is_down = point is not None
    return "".join(parts)


def _linear(low: float, high: float, most: int) -> Axis:
    """At most about `most` ticks at round distances; the axis ends with the last."""
    rough = max(high - low, 1e-9) / most
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * each for each in (1, 2, 5, 10) if unit * each >= rough * (1 - 1e-9))
    count = max(1, ceil((high - low) / step - 1e-9))
    return Axis(low, low + count * step, tuple(low + step * number for number in range(count + 1)))


def _powers(values: Sequence[float]) -> Axis:
    """A tick at each power of ten."""
    positive = [value for value in values if value > 0] or [1.0]
    first, last = floor(log10(min(positive))), ceil(log10(max(positive)))
    last = max(last, first + 1)
    return Axis(10.0**first, 10.0**last, tuple(10.0**each for each in range(first, last + 1)), logarithmic=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.6g}"
