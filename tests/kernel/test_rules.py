"""The sentences of the language reference, as chats: `rules/*.flow` with the chats beside it, whose titles are the sentences."""

import re
from pathlib import Path

import pytest
from kernel.playing import play

from flowc.compiler.chats import Script, script_chats
from flowc.compiler.compile import Problems, _model
from flowc.compiler.lower import lower
from flowc.compiler.project import Project
from flowc.dsl.parse import parse_chat
from flowc.dsl.source import SourceFile
from flowc.runtime.program import Program

RULES = Path(__file__).parent / "rules"


def compiled(path: Path) -> Program:
    text = path.read_text(encoding="utf-8")
    called = {name: (RULES / name).read_text(encoding="utf-8") for name in re.findall(r'from "(\w+\.flow)"', text)}
    settings = f'[bot]\nname = "{path.stem}"\nmain = "{path.name}"\ncurrency = "EUR"\n'
    project = Project.of_texts({path.name: text, **called, "flowc.toml": settings})
    problems = Problems()
    model = _model(project, problems)
    assert [str(problem.message) for problem in problems.sorted(project, model)] == []
    return lower(model)


def scripts(path: Path, program: Program) -> tuple[Script, ...]:
    chats = path.with_suffix(".chat")
    parsed = parse_chat(SourceFile(chats.name, chats.read_text(encoding="utf-8")))
    found, problems = script_chats(parsed.file, program)
    assert [problem.message for problem in (*parsed.diagnostics, *problems)] == []
    return found


def cases() -> list[object]:
    listed = []
    for path in sorted(RULES.glob("*.chat")):
        path = path.with_suffix(".flow")
        program = compiled(path)
        listed += [pytest.param(program, each, id=f"{path.stem}: {each.title}") for each in scripts(path, program)]
    return listed


@pytest.mark.parametrize(("program", "script"), cases())
def test_rule(program: Program, script: Script) -> None:
    play(program, script)
