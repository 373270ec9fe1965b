"""The mutants of the example flows, judged: does the checker say so, and where.

`python tests/mutation.py` judges them all and prints the share and every one that is not found; `--per-operator N`
some of each.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from mutants import Mutant, indent, mutants_of, some

from flowc.cli.test import classifier, run_scripts
from flowc.compiler.chats import Script, script_chats
from flowc.compiler.compile import compile_project
from flowc.compiler.project import Project
from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.parse import parse_chat
from flowc.dsl.source import SourceFile
from flowc.runtime.program import Program

FLOWS: Final = Path(__file__).parent.parent / "flows"
FOLDERS: Final = ("order_support", "table_booking", "employee_helpdesk")
NAME: Final = re.compile(r"[A-Za-z_]\w+")

# `same`: it does what it did: the same program, or one with which every chat of the bot holds as before (they reach
# everything that can happen in it). `found`: a finding at the line, or at one that depends on it. `elsewhere`: a
# finding, but far away. `silent`: nothing is said of another behaviour.
Verdict = Literal["same", "found", "elsewhere", "silent"]


@dataclass(frozen=True, slots=True)
class Judged:
    folder: str
    mutant: Mutant
    verdict: Verdict
    codes: tuple[str, ...]


@cache
def texts_of(folder: str) -> Mapping[str, str]:
    files = sorted((FLOWS / folder).iterdir())
    return {path.name: path.read_text(encoding="utf-8") for path in files if path.suffix in (".flow", ".toml")}


@cache
def chats_of(folder: str) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(path.name, path.read_text(encoding="utf-8")) for path in (FLOWS / folder).glob("*.chat"))


@cache
def program_of(folder: str) -> Program:
    program = compile_project(Project.of_texts(texts_of(folder))).program
    assert program is not None
    return program


@cache
def all_mutants(folder: str) -> list[Mutant]:
    flows = {path: text for path, text in texts_of(folder).items() if path.endswith(".flow")}
    return [each for path, text in flows.items() for each in mutants_of(path, text)]


def judge(folder: str, mutant: Mutant) -> Judged:
    """What `flowc check` says of the mutant, its chats included; where it says nothing, whether the chats do."""
    outcome = compile_project(Project.of_texts({**texts_of(folder), mutant.path: mutant.text}))
    found, sources = [*outcome.diagnostics], dict(outcome.sources)
    scripts: list[Script] = []
    if outcome.program is not None:
        for source in chats_of(folder):
            read, problems = script_chats(parse_chat(source).file, outcome.program)
            sources[source.path] = source
            scripts += read
            found += problems
    codes = tuple(sorted({each.code.id for each in found}))
    if found:
        near = any(is_near(each, mutant, sources) for each in found)
        return Judged(folder, mutant, "found" if near else "elsewhere", codes)
    assert outcome.program is not None
    same = outcome.program == program_of(folder) or all_hold(outcome.program, scripts)
    return Judged(folder, mutant, "same" if same else "silent", codes)


def all_hold(program: Program, scripts: Iterable[Script]) -> bool:
    return all(each.failure is None for each in run_scripts(program, scripts, classifier(program)))


def is_near(found: Diagnostic, mutant: Mutant, sources: Mapping[str, SourceFile]) -> bool:
    """Whether the finding is at a touched line, or its place depends on one: it begins the block around it, is next to
    it, has a name of it, or needed the arm of `anywhere` that was there."""
    if is_in_anywhere(mutant) and found.code.id in ("FLW501", "FLW503", "FLW601", "FLW602"):
        return True
    names = names_of(mutant)
    for label in found.labels:
        source = sources.get(label.span.path)
        if source is None:
            continue
        first, last = source.place(label.span.start).line, source.place(label.span.end).line
        if label.span.path == mutant.path:
            touched = range(min(mutant.lines) - 1, max(mutant.lines) + 2)
            if any(first <= line <= last for line in touched) or first in around(mutant):
                return True
        if names & {name for line in range(first, last + 1) for name in NAME.findall(source.line(line))}:
            return True
    return False


def names_of(mutant: Mutant) -> set[str]:
    """The names of the touched lines, before and after, and the variables that get what is declared there."""
    lines = mutant.text.splitlines()
    touched = [lines[line - 1] for line in mutant.lines if line <= len(lines)]
    names = {name for line in (mutant.before, *touched) for name in NAME.findall(line)} - COMMON
    for texts in map(texts_of, FOLDERS):
        for target, operation in GIVEN.findall(texts.get(mutant.path, "")):
            if operation in names:
                names.add(target)
    return names


def is_in_anywhere(mutant: Mutant) -> bool:
    lines = mutant.text.splitlines()
    above = lines[: min(mutant.lines)]
    return next((line for line in reversed(above) if line.strip() and indent(line) == 0), "") == "anywhere"


GIVEN: Final = re.compile(r"(?:call|do) (\w+) = (?:\w+\.)?(\w+)\(")
WORDS: Final = "on say set if else text from to and or not in is none true false via as for"
COMMON: Final = frozenset(WORDS.split())


def around(mutant: Mutant) -> set[int]:
    """The lines that begin the blocks in which the first touched line stands."""
    lines = mutant.text.splitlines()
    number = min(*mutant.lines, len(lines))
    level = max(indent(lines[number - 1]), indent(mutant.before))
    found = set()
    for above in range(number - 1, 0, -1):
        if lines[above - 1].strip() and indent(lines[above - 1]) < level:
            level = indent(lines[above - 1])
            found.add(above)
    return found


def report(judged: Iterable[Judged]) -> str:
    every = list(judged)
    counts = Counter(each.verdict for each in every)
    changed = len(every) - counts["same"]
    lines = [f"{len(every)} mutants, {changed} behave otherwise: {counts['found']} found, {share(every):.1f}%"]
    for operator in dict.fromkeys(each.mutant.operator for each in every):
        own = [each for each in every if each.mutant.operator == operator]
        lines.append(f"  {operator:18} {share(own):5.1f}% of {sum(each.verdict != 'same' for each in own)}")
    lines += [
        f"{each.verdict}: {each.folder} {each.mutant} {' '.join(each.codes)}" for each in every if is_missed(each)
    ]
    return "\n".join(lines)


def is_missed(each: Judged) -> bool:
    return each.verdict in ("silent", "elsewhere")


def reason(mutant: Mutant) -> str:
    """Why nothing is said: what is left is a flow that somebody could mean."""
    before = mutant.before.strip()
    for beginning, why in REASONS.items():
        if before.startswith(beginning):
            return why
    return OTHER


REASONS: Final = {
    "on silence": "a longer silence of `anywhere` takes it",
    "else": "the wait has the `else` of `anywhere`, the call its `on failure`",
    "on change": "the message is taken by the `else`",
    "on ": "the scope around takes it, or nobody has to say that",
    "say": "words: more or fewer of them are the author's",
    '"': "an example or a variant more or less",
    "buttons": "a button more or less",
    "ask": "the type's own message is said",
    "reask": "the type's own message is said",
    "within": "a policy line: what is left out has a default",
    "timeout": "a policy line: what is left out has a default",
}
OTHER: Final = "what is left is a flow that somebody could mean"


def share(judged: Iterable[Judged]) -> float:
    """Percent of those that behave otherwise which are found."""
    changed = [each for each in judged if each.verdict != "same"]
    return 100.0 * sum(each.verdict == "found" for each in changed) / len(changed) if changed else 100.0


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--per-operator", type=int, default=0, help="so many of each operator; all when left out")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    judged = []
    for folder in FOLDERS:
        mutants = all_mutants(folder)
        chosen = some(mutants, given.per_operator, given.seed) if given.per_operator else mutants
        judged += [judge(folder, each) for each in chosen]
    print(report(judged))
    return int(share(judged) < 95)


if __name__ == "__main__":
    sys.exit(main())
