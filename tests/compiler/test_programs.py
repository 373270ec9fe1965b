"""Flows as programs: `tests/programs/NAME.flow` and the listing of its code beside it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from golden import compare
from syrupy.assertion import SnapshotAssertion

from flowc.compiler.compile import compile_project
from flowc.compiler.graph import FlowGraph, build_graphs
from flowc.compiler.listing import listing
from flowc.compiler.model import Model
from flowc.compiler.project import open_project
from flowc.dsl.nodes import Ask, Choose, Do, Handoff, Listen, StateDeclaration, Statement
from flowc.runtime.program import Flow, Program

PROGRAMS = Path(__file__).parent.parent / "programs"
BOTS = Path(__file__).parents[2] / "flows"
FLOWS = sorted(at for at in PROGRAMS.glob("*.flow") if not at.stem.endswith("_name"))
PLACES = [*FLOWS, *(at.parent for at in sorted(BOTS.glob("*/flowc.toml")))]


def program(place: Path) -> tuple[Program, Model]:
    outcome = compile_project(open_project(place))
    assert [(each.code.id, each.message) for each in outcome.diagnostics] == []
    assert outcome.program is not None
    assert outcome.model is not None
    return outcome.program, outcome.model


@pytest.mark.parametrize("flow", FLOWS, ids=lambda at: at.stem)
def test_program_is_as_listed(flow: Path, snapshot: SnapshotAssertion) -> None:
    compare(flow.with_suffix(".program.txt"), listing(program(flow)[0]), snapshot)


def test_the_longest_way_to_first_words_is_in_the_program() -> None:
    """order_support: of one group of reads the longer `within`. It promises three seconds."""
    found, _ = program(BOTS / "order_support")
    assert found.first_words_ms == found.services["orders"].operations["get"].policy.within_ms == 2_000


@pytest.mark.parametrize("place", PLACES, ids=lambda at: at.stem)
def test_what_can_be_reached_is_in_the_program(place: Path) -> None:
    made, model = program(place)
    for name, flow in made.flows.items():
        graph = build_graphs(model)[name]
        assert set(states(graph)) <= set(flow.states)
        assert set(waits(graph, flow)) <= set(flow.waits)


@pytest.mark.parametrize("place", PLACES, ids=lambda at: at.stem)
def test_every_wait_says_what_it_keeps(place: Path) -> None:
    for flow in program(place)[0].flows.values():
        assert set(flow.waits) <= set(flow.stored)
        assert all(set(kept) <= set(flow.variables) for kept in flow.stored.values())


def states(graph: FlowGraph) -> Iterator[str]:
    return (node.name.text for node in graph.reached if isinstance(node, StateDeclaration))


def waits(graph: FlowGraph, flow: Flow) -> Iterator[str]:
    """The stored names of the waits in states that can be reached."""
    for node in graph.reached:
        home = graph.home.get(node)
        if isinstance(home, StateDeclaration) and isinstance(node, Statement):
            yield from (f"{home.name.text}.{name}" for name in wait_names(node))


def wait_names(node: Statement) -> tuple[str, ...]:
    match node:
        case Ask(slots=slots):
            return tuple(f"ask.{slot.text}" for slot in slots)
        case Choose(name=name):
            return (f"choose.{name.text}",)
        case Listen():
            return ("listen",)
        case Handoff():
            return ("handoff",)
        case Do(flow=called):
            return (f"do.{called.text}",)
        case _:
            return ()


PRINT_DIGEST = """
import hashlib, sys
from pathlib import Path
import msgspec
from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
program = compile_project(open_project(Path(sys.argv[1]))).program
print(hashlib.sha256(msgspec.msgpack.encode(program)).hexdigest())
"""


def test_same_sources_give_the_same_bytes_whatever_the_hash_seed_and_the_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "some where else"
    elsewhere.mkdir()
    for source in PROGRAMS.glob("constructs*.flow"):
        (elsewhere / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    runs = [
        ("0", PROGRAMS / "constructs.flow"),
        ("1", PROGRAMS / "constructs.flow"),
        ("7", elsewhere / "constructs.flow"),
    ]
    digests = {digest(seed, place) for seed, place in runs}
    assert len(digests) == 1


def digest(seed: str, place: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST, place],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
