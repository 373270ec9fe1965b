"""Which project a command means: from its paths, `--project`, or the folder it runs in."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowc.cli.terminal import Stop

if TYPE_CHECKING:
    from flowc.compiler.project import Project

__all__ = ["MANIFEST", "chat_files", "project_here", "projects_under"]

MANIFEST = "flowc.toml"
SKIPPED = frozenset({"node_modules", "__pycache__", "build", "dist"})


def project_here(directory: Path | None) -> "Project":
    """The project of `directory`, or of the folder that the command runs in or one above it."""
    if directory is not None and not directory.is_dir():
        raise Stop(f"there is no folder `{directory}`", help="--project names the folder that holds flowc.toml")
    start = directory or Path.cwd()
    root = manifest_folder(start)
    if root is None:
        where = f"`{directory}`" if directory else "this folder"
        raise Stop(
            f"no {MANIFEST} in {where} or above it",
            help="run the command in a project, name one with --project, or make one: flowc init mybot",
        )
    return opened(root)


def opened(root: Path) -> "Project":
    """The project at `root`, a folder with a manifest or a single `.flow` file."""
    from flowc.compiler.project import ProjectError, open_project

    try:
        return open_project(root)
    except ProjectError as error:
        raise Stop(str(error)) from error


def projects_under(paths: Sequence[Path] | None, directory: Path | None) -> tuple["Project", ...]:
    """The projects that `paths` lie in or contain, each once, in order; a `.flow` file in none is a project of itself.

    Without paths: the project here.
    """
    if not paths:
        return (project_here(directory),)
    projects: dict[Path, Project] = {}
    for path in paths:
        if not path.exists():
            raise Stop(f"there is no file or folder `{path}`")
        for root in roots_of(path.resolve()):
            if root not in projects:
                projects[root] = opened(root)
    if not projects:
        raise Stop(f"no .flow file under {', '.join(f'`{path}`' for path in paths)}")
    return tuple(projects.values())


def roots_of(path: Path) -> Iterable[Path]:
    """Folders with a manifest that `path` lies in or contains, then `.flow` files under it that are in none of them."""
    above = manifest_folder(path if path.is_dir() else path.parent)
    if above is not None:
        return (above,)
    if path.is_file():
        return (path,)
    folders = sorted(found.parent for found in path.rglob(MANIFEST) if not is_skipped(found.relative_to(path)))
    loose = (
        file
        for file in sorted(path.rglob("*.flow"))
        if not is_skipped(file.relative_to(path)) and not any(file.is_relative_to(folder) for folder in folders)
    )
    return (*folders, *loose)


def manifest_folder(start: Path) -> Path | None:
    """The nearest folder with a manifest, from `start` upward."""
    here = start.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / MANIFEST).is_file()), None)


def is_skipped(path: Path) -> bool:
    """Whether `path` lies in a hidden folder or one that tools fill."""
    return any(part.startswith(".") or part in SKIPPED for part in path.parts)


def files_under(paths: Sequence[Path] | None, directory: Path | None, suffixes: frozenset[str]) -> tuple[Path, ...]:
    """The files with one of `suffixes` among and under `paths`; without paths, of the project here."""
    roots = tuple(paths or ()) or (manifest_folder(directory or Path.cwd()) or Path.cwd(),)
    found: dict[Path, None] = {}
    for root in roots:
        if not root.exists():
            raise Stop(f"there is no file or folder `{root}`")
        if root.is_file():
            found[root] = None
            continue
        inside = (file for suffix in suffixes for file in root.rglob(f"*{suffix}"))
        found.update((file, None) for file in sorted(inside) if not is_skipped(file.relative_to(root)))
    return tuple(found)


def chat_files(paths: Sequence[Path] | None, directory: Path | None) -> tuple[Path, ...]:
    """The `.chat` files among and under `paths`; without paths, of the project here."""
    return files_under(paths, directory, frozenset({".chat"}))
