"""The flows of `rules/`, compiled."""

import re
from functools import cache
from pathlib import Path

from flowc.compiler.compile import compile_project, model_of
from flowc.compiler.lower import lower
from flowc.compiler.project import Project
from flowc.dsl.diagnostic import Severity
from flowc.runtime.program import Program

RULES = Path(__file__).parent / "rules"


@cache
def compiled(name: str) -> Program:
    """The program of `rules/NAME.flow` and the flows that it imports."""
    return compiled_text((RULES / f"{name}.flow").read_text(encoding="utf-8"), name)


def compiled_text(text: str, name: str = "bot") -> Program:
    """The program of one flow; the flows of `rules/` can be imported."""
    called = {each: (RULES / each).read_text(encoding="utf-8") for each in re.findall(r'from "(\w+\.flow)"', text)}
    settings = f'[bot]\nname = "{name}"\nmain = "{name}.flow"\ncurrency = "EUR"\n'
    outcome = compile_project(Project.of_texts({f"{name}.flow": text, **called, "flowc.toml": settings}))
    assert [each.message for each in outcome.diagnostics if each.level is Severity.ERROR] == []
    assert outcome.program is not None
    return outcome.program


def unchecked(text: str) -> Program:
    """The program of one flow that the rules would refuse."""
    return lower(model_of(Project.of_texts({"bot.flow": text})))
