"""What the benchmarks compile is what an author could have written."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from flowc.compiler.compile import compile_project
from flowc.compiler.project import Project
from flowc.dsl.format import format_source
from flowc.dsl.source import SourceFile

GENERATED = Path(__file__).parent.parent / "benchmarks" / "generated.py"


def generated(lines: int) -> dict[str, str]:
    spec = spec_from_file_location("generated", GENERATED)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    texts: dict[str, str] = module.project(lines)
    return texts


@pytest.mark.parametrize("lines", [200, 1_500])
def test_generated_project_is_sound_and_canonical(lines: int) -> None:
    texts = generated(lines)
    outcome = compile_project(Project.of_texts(texts))
    assert [(each.code.id, each.message, each.span) for each in outcome.diagnostics] == []
    assert outcome.program is not None
    for path, text in texts.items():
        if path.endswith(".flow"):
            assert format_source(SourceFile(path, text)).text == text


@pytest.mark.parametrize("lines", [1_000, 10_000])
def test_generated_project_has_the_size_asked_for(lines: int) -> None:
    size = sum(text.count("\n") for path, text in generated(lines).items() if path.endswith(".flow"))
    assert abs(size - lines) < 160
    assert generated(lines) == generated(lines)
