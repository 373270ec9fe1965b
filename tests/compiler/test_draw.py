"""Drawings of flows: what is on them, that they are well formed, and that words of authors are never markup."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from golden import compare
from syrupy.assertion import SnapshotAssertion

from flowc.compiler.compile import compile_project
from flowc.compiler.draw import as_json, dot, mermaid, svg
from flowc.compiler.picture import picture
from flowc.compiler.project import Project, open_project
from flowc.runtime.program import Program

PROGRAMS = Path(__file__).parent.parent / "programs"
SVG = "{http://www.w3.org/2000/svg}"


def program(name: str) -> Program:
    made = compile_project(open_project(PROGRAMS / f"{name}.flow")).program
    assert made is not None
    return made


@pytest.mark.parametrize("name", ["order_support", "constructs"])
def test_drawings_are_as_before(name: str, snapshot: SnapshotAssertion) -> None:
    made = program(name)
    compare(PROGRAMS / f"{name}.mermaid.txt", mermaid(made, made.main), snapshot)
    compare(PROGRAMS / f"{name}.dot.txt", dot(made, made.main), snapshot)


@pytest.mark.parametrize("name", ["order_support", "constructs"])
def test_json_has_every_box_and_every_arrow(name: str) -> None:
    made = program(name)
    drawn = picture(made.flows[made.main])
    graph = json.loads(as_json(made, made.main))
    assert [(node["id"], node["kind"], node["text"]) for node in graph["nodes"]] == [
        (number, box.kind, box.text) for number, box in enumerate(drawn.boxes)
    ]
    assert [(edge["source"], edge["target"], edge["kind"], tuple(edge["labels"])) for edge in graph["edges"]] == [
        (arrow.source, arrow.target, arrow.kind, arrow.labels) for arrow in drawn.arrows
    ]


@pytest.mark.parametrize("name", ["order_support", "constructs"])
def test_svg_has_every_box_and_every_arrow_inside_its_frame(name: str) -> None:
    made = program(name)
    drawn = picture(made.flows[made.main])
    root = ElementTree.fromstring(svg(made, made.main))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = [each for each in root.iter(f"{SVG}rect") if each.attrib["class"].startswith("box")]
    arrows = [each for each in root.iter(f"{SVG}path") if each.attrib["class"].startswith("arrow")]
    ends = sum(box.kind == "end" for box in drawn.boxes)
    assert len(boxes) == len(drawn.boxes) + ends
    assert len(arrows) == len(drawn.arrows)
    for box in boxes:
        x, y = float(box.attrib["x"]), float(box.attrib["y"])
        assert x >= 0
        assert y >= 0
        assert x + float(box.attrib["width"]) <= width
        assert y + float(box.attrib["height"]) <= height


def test_boxes_do_not_overlap() -> None:
    made = program("constructs")
    root = ElementTree.fromstring(svg(made, made.main))
    frames = [
        tuple(float(each.attrib[key]) for key in ("x", "y", "width", "height"))
        for each in root.iter(f"{SVG}rect")
        if re.fullmatch(r"box (start|state|flow|handoff|anywhere)", each.attrib["class"])
    ]
    for index, (x, y, width, height) in enumerate(frames):
        for other_x, other_y, other_width, other_height in frames[index + 1 :]:
            apart = x + width <= other_x or other_x + other_width <= x
            assert apart or y + height <= other_y or other_y + other_height <= y


HOSTILE = """flow hostile 1.0.0
  "Words that look like markup."

state start
  handoff "<b onload=\\"x\\">&|`{{ user.id }}\\\\ # end"
"""


def test_words_of_an_author_are_not_markup() -> None:
    made = compile_project(Project.of_texts({"hostile.flow": HOSTILE})).program
    assert made is not None
    root = ElementTree.fromstring(svg(made, "hostile"))
    texts = "".join(text for each in root.iter(f"{SVG}text") for text in each.itertext())
    assert "<b onload=" in texts
    drawn = mermaid(made, "hostile")
    assert "<" not in drawn
    assert "#quot;x" in drawn
    assert '\\"' in dot(made, "hostile")


def test_a_picture_is_the_same_each_time() -> None:
    made = program("constructs")
    assert svg(made, made.main) == svg(made, made.main)
