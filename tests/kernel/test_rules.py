"""The sentences of the language reference as chats: `rules/*.flow`, and beside it the chats whose titles they are."""

from pathlib import Path

import pytest
from kernel.playing import play_script
from kernel.programs import RULES, compiled

from flowc.compiler.chats import Script, script_chats
from flowc.dsl.parse import parse_chat
from flowc.dsl.source import SourceFile
from flowc.runtime.program import Program


def scripts(path: Path, program: Program) -> tuple[Script, ...]:
    parsed = parse_chat(SourceFile(path.name, path.read_text(encoding="utf-8")))
    found, problems = script_chats(parsed.file, program)
    assert [problem.message for problem in (*parsed.diagnostics, *problems)] == []
    return found


def cases() -> list[object]:
    listed = []
    for path in sorted(RULES.glob("*.chat")):
        program = compiled(path.stem)
        listed += [pytest.param(program, each, id=f"{path.stem}: {each.title}") for each in scripts(path, program)]
    return listed


@pytest.mark.parametrize(("program", "script"), cases())
def test_rule(program: Program, script: Script) -> None:
    play_script(program, script)
