"""The set of sources that are checked together, and the one place where the compiler reads files.

A project is a folder with `flowc.toml`; a single file without one is a project of that file and what it imports.
Paths are relative to the folder, with `/`. The shipped library is read from the package and has paths that begin
with `std/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Final

from flowc.compiler.settings import Settings, read_settings
from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.source import SourceFile

__all__ = ["Project", "ProjectError", "open_project"]

SETTINGS: Final = "flowc.toml"
STD: Final = "std/"
SKIPPED: Final = frozenset({".git", ".venv", ".flowc", "build", "dist", "node_modules"})


class ProjectError(Exception):
    """There is no project to open. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Project:
    """Sources by path, and the settings. `root` is None for texts that are on no disk.

    `extras` are other texts that flows name: files of examples.
    """

    root: Path | None
    sources: Mapping[str, SourceFile]
    settings: Settings | None = None
    settings_file: SourceFile | None = None
    problems: tuple[Diagnostic, ...] = ()
    extras: Mapping[str, str] | None = None
    only: str | None = None

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> "Project":
        """A project of `texts` by path; `flowc.toml` among them is its settings, `.txt` are files of examples."""
        sources = {path: SourceFile(path, text) for path, text in texts.items() if path.endswith(".flow")}
        extras = {path: text for path, text in texts.items() if not path.endswith((".flow", ".toml"))}
        settings = SourceFile(SETTINGS, texts[SETTINGS]) if SETTINGS in texts else None
        return _project(None, sources, settings, extras)

    @property
    def main(self) -> str | None:
        """The path of the main flow: as `flowc.toml` says, or the only file of a project without one."""
        if self.settings is not None:
            return str(PurePosixPath(self.settings.bot.main))
        flows = [path for path in self.sources if not path.startswith(STD)]
        return self.only or (flows[0] if len(flows) == 1 else None)

    @property
    def zone(self) -> str:
        return self.settings.bot.zone if self.settings else "UTC"

    def extra(self, path: str) -> str | None:
        """The text of a file of examples, or None."""
        if self.extras is not None and path in self.extras:
            return self.extras[path]
        if self.root is None:
            return None
        at = self.root / path
        return at.read_text(encoding="utf-8", errors="replace") if at.is_file() else None

    def changed(self, texts: Mapping[str, str]) -> "Project":
        """The project with other texts for some of its files; `flowc.toml` among them is read again."""
        others = {path: SourceFile(path, text) for path, text in texts.items() if path in self.sources}
        sources = {**self.sources, **others}
        settings = SourceFile(SETTINGS, texts[SETTINGS]) if SETTINGS in texts else self.settings_file
        return _project(self.root, sources, settings, self.extras, only=self.only)

    def source(self, path: str) -> SourceFile | None:
        """The source at `path`, of the project or shipped; None where there is none."""
        if path in self.sources:
            return self.sources[path]
        if path.startswith(STD):
            return shipped(path.removeprefix(STD))
        if self.root is None or not path.endswith(".flow"):
            return None
        at = self.root / path
        return read(at, path) if at.is_file() else None


def open_project(place: Path) -> Project:
    """The project that `place`, a folder or a file, belongs to: of the nearest `flowc.toml` upwards. Raises
    ProjectError."""
    at = place.resolve()
    if not at.exists():
        raise ProjectError(f"`{place}` does not exist; give a folder with `{SETTINGS}`, or a `.flow` file")
    folder = at if at.is_dir() else at.parent
    for root in (folder, *folder.parents):
        if (root / SETTINGS).is_file():
            return _folder(root)
    if at.is_file():
        return _project(at.parent, {at.name: read(at, at.name)}, None, None, only=at.name)
    raise ProjectError(f"no `{SETTINGS}` in `{place}` or above it; make a project with `flowc init`")


def shipped(name: str) -> SourceFile | None:
    """The file `std/NAME` that comes with flowc, or None."""
    at = files("flowc.std").joinpath(name)
    return SourceFile(STD + name, at.read_text(encoding="utf-8")) if at.is_file() else None


def shipped_paths() -> tuple[str, ...]:
    """What `use … from` may name of the shipped library."""
    return tuple(sorted(STD + at.name for at in files("flowc.std").iterdir() if at.name.endswith(".flow")))


def read(at: Path, path: str) -> SourceFile:
    """The file `at`, named `path`. Raises ProjectError where it is not UTF-8."""
    try:
        return SourceFile(path, at.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ProjectError(f"`{path}` is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise ProjectError(f"`{path}` cannot be read: {error.strerror}") from error


def _folder(root: Path) -> Project:
    sources = {}
    for at in sorted(root.rglob("*.flow")):
        parts = at.relative_to(root).parts
        inner = any((root.joinpath(*parts[:depth]) / SETTINGS).is_file() for depth in range(1, len(parts)))
        if not inner and not SKIPPED.intersection(parts) and at.is_file():
            path = "/".join(parts)
            sources[path] = read(at, path)
    return _project(root, sources, read(root / SETTINGS, SETTINGS), None)


def _project(
    root: Path | None,
    sources: Mapping[str, SourceFile],
    settings: SourceFile | None,
    extras: Mapping[str, str] | None,
    *,
    only: str | None = None,
) -> Project:
    values, problems = read_settings(settings) if settings else (None, ())
    return Project(root, sources, values, settings, problems, extras, only)
