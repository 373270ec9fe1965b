"""Random edits of the projects in flows/: each edited project is parsed, checked and formatted to the end, in time.

`python tests/random_edits.py --edits 1000000` makes that many and says what failed; `--first SEED --edits 1` repeats
one project. The same seed always makes the same edits, 1 to 21 of a file, of the same flows.
"""

import argparse
import random
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kept import keeps_everything
from mutate import how_many, mutate

from flowc.compiler.chats import script_chats
from flowc.compiler.compile import compile_project
from flowc.compiler.project import Project
from flowc.dsl.diagnostic import Diagnostic, Severity
from flowc.dsl.format import format_source
from flowc.dsl.parse import parse_chat
from flowc.dsl.render import render_text
from flowc.dsl.source import SourceFile
from flowc.runtime.program import Program

FLOWS = Path(__file__).parent.parent / "flows"
LIMIT_S = 1.0  # of the processor, for one edited project
HANGS_S = 20.0  # when one is given up, where no test runner does that


@cache
def projects() -> tuple[Mapping[str, str], ...]:
    """The texts of each project, the shipped library too, since its files are the author's own when copied."""
    folders = sorted(manifest.parent for manifest in FLOWS.glob("*/flowc.toml"))
    return tuple(
        {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()) if is_text(path)}
        for folder in folders
    )


def is_text(path: Path) -> bool:
    return path.suffix in (".flow", ".chat", ".toml")


@cache
def program(project: int) -> Program:
    """Of the unedited project."""
    compiled = compile_project(Project.of_texts(projects()[project])).program
    assert compiled is not None
    return compiled


@cache
def every_text() -> tuple[str, ...]:
    return tuple(text for texts in projects() for text in texts.values())


def edited(seed: int) -> tuple[int, Mapping[str, str], int]:
    """A project, those of its texts that the edits of `seed` change, and how many edits that were."""
    choose = random.Random(seed)
    project = choose.randrange(len(projects()))
    texts = projects()[project]
    paths = choose.sample(sorted(texts), choose.choice((1, 1, 1, 2)))
    counts = {path: how_many(choose) for path in paths}
    changed = {path: mutate(texts[path], choose, every_text(), edits=counts[path]) for path in paths}
    return project, changed, sum(counts.values())


def try_edits(seed: int) -> tuple[int, float]:
    """How many edits, and the seconds that the project took. Raises what went wrong, with a note to repeat it."""
    try:
        project, changed, count = edited(seed)
        program(project)
        begin = time.process_time()
        survive(project, changed)
        took = time.process_time() - begin
        assert took < LIMIT_S, f"{took:.2f} s"
    except BaseException as fault:
        fault.add_note(f"to repeat it: python tests/random_edits.py --first {seed} --edits 1")
        raise
    return count, took


def survive(project: int, changed: Mapping[str, str]) -> None:
    texts = {**projects()[project], **changed}
    if any(path.endswith((".flow", ".toml")) for path in changed):
        outcome = compile_project(Project.of_texts(texts))
        sources = {**outcome.sources, "flowc.toml": SourceFile("flowc.toml", texts["flowc.toml"])}
        sound(outcome.diagnostics, sources)
        wrong = any(each.level is Severity.ERROR for each in outcome.diagnostics)
        assert outcome.program is None or not wrong
        assert wrong or outcome.program is not None or outcome.model is None or outcome.model.main is None
    for path, text in changed.items():
        source = SourceFile(path, text)
        if path.endswith(".chat"):
            parsed = parse_chat(source)
            _, problems = script_chats(parsed.file, program(project))
            sound((*parsed.diagnostics, *problems), {path: source})
        if not path.endswith(".toml"):
            tidy(source)


def sound(diagnostics: tuple[Diagnostic, ...], sources: Mapping[str, SourceFile]) -> None:
    """No report is of a fault of ours, each is at a place that there is, and all can be printed."""
    for each in diagnostics:
        assert each.code.id != "FLW199", each.message
        for span in (*(label.span for label in each.labels), *(edit.span for edit in each.edits)):
            assert 0 <= span.start <= span.end <= len(sources[span.path].text), (each.message, span)
    render_text(diagnostics, sources, colour=False)


def tidy(source: SourceFile) -> None:
    """The text is formatted without loss, or refused as it is."""
    answer = format_source(source)
    assert all(each.code.id != "FLW199" for each in answer.diagnostics)
    if answer.diagnostics:
        assert answer.text == source.text
    else:
        keeps_everything(source)


def give_up(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"hangs: more than {HANGS_S:.0f} s")


def main() -> int:
    options = argparse.ArgumentParser(description="Random edits of the example flows.")
    options.add_argument("--edits", type=int, default=10_000, metavar="N", help="how many edits are made")
    options.add_argument("--first", type=int, default=0, metavar="SEED", help="of the first project")
    options.add_argument("--seconds", type=float, default=float("inf"), metavar="S", help="stop after that time")
    chosen = options.parse_args()
    signal.signal(signal.SIGPROF, give_up)
    begin = time.process_time()
    edits, failed, slowest, seed = 0, 0, 0.0, chosen.first
    while edits < chosen.edits and time.process_time() - begin < chosen.seconds:
        signal.setitimer(signal.ITIMER_PROF, HANGS_S)
        try:
            count, took = try_edits(seed)
            edits, slowest = edits + count, max(slowest, took)
        except Exception:  # noqa: BLE001 - whatever it is, it is counted, and the next is tried
            edits, failed = edits + 1, failed + 1
            traceback.print_exc()
        seed += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    projects_tried = seed - chosen.first
    print(f"{edits:,} edits of {projects_tried:,} projects, {failed} failed; the slowest took {slowest * 1000:.0f} ms")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
