"""A flow of a program as a picture in the formats of others: Mermaid, DOT and JSON; `svg` draws it itself.

The same program gives the same text. Every word of an author is escaped: it is never markup.
"""

import json
from typing import Final, assert_never

from flowc.compiler.draw_svg import svg
from flowc.compiler.picture import Arrow, Box, picture
from flowc.runtime.program import Program

__all__ = ["as_json", "dot", "mermaid", "svg"]

MERMAID_ESCAPES: Final = str.maketrans(
    {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "|": "#124;", "`": "#96;", "\n": " "}
)
DOT_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " "})


def mermaid(program: Program, flow: str) -> str:
    """`flow` as a Mermaid flowchart."""
    drawn = picture(program.flows[flow])
    lines = ["flowchart TD"]
    lines += [f"  n{number}{_mermaid_box(box)}" for number, box in enumerate(drawn.boxes)]
    lines += [f"  n{arrow.source} {_mermaid_line(arrow)} n{arrow.target}" for arrow in drawn.arrows]
    return "\n".join(lines) + "\n"


def _mermaid_box(box: Box) -> str:
    text = box.text.translate(MERMAID_ESCAPES)
    match box.kind:
        case "start":
            return f'(["{text}"])'
        case "state":
            return f'["{text}"]'
        case "flow":
            return f'[["{text}"]]'
        case "end":
            return f'((("{text}")))'
        case "handoff":
            return f'[/"handoff {text}"\\]'
        case "anywhere":
            return f'{{{{"{text}"}}}}'
        case _:
            assert_never(box.kind)


def _mermaid_line(arrow: Arrow) -> str:
    line = "-->" if arrow.kind == "plain" else "-.->"
    label = ", ".join(arrow.labels).translate(MERMAID_ESCAPES)
    return f'{line}|"{label}"|' if label else line


def dot(program: Program, flow: str) -> str:
    """`flow` in the language of Graphviz."""
    drawn = picture(program.flows[flow])
    lines = [
        f"digraph {_dot(flow)} {{",
        '  node [shape=box, style=rounded, fontname="sans-serif"]',
        '  edge [fontname="sans-serif", fontsize=10]',
    ]
    lines += [f"  n{number} [{_dot_box(box)}]" for number, box in enumerate(drawn.boxes)]
    lines += [f"  n{arrow.source} -> n{arrow.target} [{_dot_line(arrow)}]" for arrow in drawn.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str) -> str:
    return f'"{text.translate(DOT_ESCAPES)}"'


def _dot_box(box: Box) -> str:
    label = f"label={_dot(box.text)}"
    match box.kind:
        case "start":
            return f"{label}, shape=oval"
        case "state":
            return label
        case "flow":
            return f'{label}, style="", peripheries=2'
        case "end":
            return f"{label}, shape=doublecircle"
        case "handoff":
            return f"label={_dot('handoff ' + box.text)}, shape=house"
        case "anywhere":
            return f"{label}, shape=hexagon, style=dashed"
        case _:
            assert_never(box.kind)


def _dot_line(arrow: Arrow) -> str:
    label = f"label={_dot(', '.join(arrow.labels))}"
    return label if arrow.kind == "plain" else f"{label}, style=dashed"


def as_json(program: Program, flow: str) -> str:
    """`flow` as an object: `nodes` with their kind, `edges` between their ids with what leads over them."""
    drawn = picture(program.flows[flow])
    nodes = [
        {"id": number, "kind": box.kind, "text": box.text, **_details(box)} for number, box in enumerate(drawn.boxes)
    ]
    edges = [
        {"source": arrow.source, "target": arrow.target, "kind": arrow.kind, "labels": list(arrow.labels)}
        for arrow in drawn.arrows
    ]
    return json.dumps({"flow": flow, "nodes": nodes, "edges": edges}, ensure_ascii=False, indent=2) + "\n"


def _details(box: Box) -> dict[str, str]:
    if not box.priority:
        return {}
    return {"wait" if box.kind == "flow" else "priority": box.priority}
