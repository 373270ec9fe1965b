"""Writes the examples of docs/diagnostics from the folders of tests/diagnostics; `--check` only compares.

The prose of a page is what stands between its severity and its first heading of the second level; that is kept. A page
begins with its prose: a code without a page is named, and no page is made for it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from flowc.compiler.codes import all_codes
from flowc.dsl.diagnostic import Code

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "diagnostics"
FOLDERS = ROOT / "tests" / "diagnostics"
FENCES = {".flow": "flow", ".chat": "chat", ".toml": "toml", ".po": "po"}


def main(*, check: bool) -> int:
    """0 where every page is as it has to be (afterwards, unless `check`)."""
    wrong = []
    for code in all_codes():
        at = PAGES / f"{code.id}.md"
        if not at.exists():
            print(f"no page: docs/diagnostics/{at.name}")
            continue
        before = at.read_text(encoding="utf-8")
        after = page(code, prose(before))
        if before != after:
            wrong.append(at.relative_to(ROOT).as_posix())
            if not check:
                at.write_text(after, encoding="utf-8")
    if wrong:
        print("not current (make docs):" if check else "written:", *wrong, sep="\n  ")
    return int(check and bool(wrong))


def prose(text: str) -> str:
    """What people wrote on the page."""
    return text.partition("\n## ")[0].partition("\n\n")[2].partition("\n\n")[2].strip()


def page(code: Code, words: str) -> str:
    lowered = "cannot be lowered" if code.fixed else "can be lowered"
    parts = [f"# {code.id} {code.name}", f"*{code.severity.value}, {lowered}*"]
    if words:
        parts.append(words)
    for folder in sorted(
        FOLDERS.glob(f"{code.id}-*"), key=lambda each: (each.name != f"{code.id}-{code.name}", each.name)
    ):
        parts.extend(example(folder, code))
    return "\n\n".join(parts) + "\n"


def example(folder: Path, code: Code) -> Iterator[str]:
    """The flow with the mistake, what is said about it, and the flow without it; before them the older version that it
    is checked against."""
    sentence = folder.name.removeprefix(f"{code.id}-").replace("-", " ")
    yield "## Example" if folder.name == f"{code.id}-{code.name}" else f"## {sentence.capitalize()}"
    if any(folder.glob("against*")):
        yield "The older version:"
        yield from files(folder, "against")
        yield "The next one:"
    yield from files(folder, "bad")
    expected = folder / "expected.txt"
    yield fenced("text", expected.read_text(encoding="utf-8") if expected.exists() else "")
    yield "Fixed:"
    yield from files(folder, "fixed")


def files(folder: Path, which: str) -> Iterator[str]:
    singles = sorted(folder.glob(f"{which}.*"))
    if singles:
        yield from (fenced(FENCES.get(at.suffix, "text"), at.read_text(encoding="utf-8")) for at in singles)
        return
    for at in sorted((folder / which).rglob("*")):
        if at.is_file():
            yield f"`{at.relative_to(folder / which).as_posix()}`:"
            yield fenced(FENCES.get(at.suffix, "text"), at.read_text(encoding="utf-8"))


def fenced(language: str, text: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
