"""Programs and projects by what a command line calls them: files, folders, bundles, and revisions of git.

A revision is read as blobs from its tree, never from the working copy. git is called with fixed arguments, without a
shell; a revision that looks like an option is refused, and git is told that it is none.
"""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowc.cli.projects import MANIFEST
from flowc.cli.terminal import Stop

if TYPE_CHECKING:
    from flowc.compiler.project import Project
    from flowc.runtime.program import Program

__all__ = ["commit_of", "program_at", "project_at"]

GIT_S: Final = 60.0
TEXTS: Final = (".flow", ".toml", ".txt", ".po")


def program_at(name: str, root: Path, only: str | None = None) -> "Program":
    """The program that `name` means: a bundle, a `.flow` file, a revision of the project in `root` (perhaps the one
    file `only`), or a folder with a project. A folder that has the name of a revision is written `./NAME`."""
    at = Path(name)
    if not name:
        raise Stop("an empty name is no file and no revision")
    if at.exists() and not at.is_dir():
        return _file(at)
    if at.is_dir() and (name.startswith("-") or _commit(name, root) is None):
        from flowc.cli.projects import opened

        return _compiled(opened(at), name)
    return _compiled(project_at(name, root, only), name)


def _file(at: Path) -> "Program":
    """A file of flows is text, anything else has to be a bundle."""
    if at.suffix != ".flow":
        return _bundle(at)
    from flowc.cli.projects import opened

    return _compiled(opened(at), str(at))


def _bundle(at: Path) -> "Program":
    from flowc.runtime.bundle import BundleError, from_bytes

    try:
        return from_bytes(at.read_bytes())
    except BundleError as error:
        raise Stop(f"`{at}`: {error}") from error
    except OSError as error:
        raise Stop(f"`{at}` cannot be read: {error.strerror}") from error


def _compiled(project: "Project", name: str) -> "Program":
    """The program of a project that was checked when it was released."""
    from flowc.compiler.compile import compile_project
    from flowc.dsl.render import render_text

    outcome = compile_project(project)
    if outcome.program is not None:
        return outcome.program
    if project.main is None:
        raise Stop(f"`{name}` names no main flow", help=f"its {MANIFEST} needs `main` under [bot]")
    shown = render_text(outcome.diagnostics, outcome.sources, colour=False).rstrip()
    raise Stop(f"`{name}` cannot be compiled", help=f"it has these findings:\n{shown}")


def project_at(revision: str, root: Path, only: str | None = None) -> "Project":
    """The project that lies in `root` as it was at `revision`. Raises Stop."""
    from flowc.compiler.project import Project

    commit = commit_of(revision, root)
    prefix = _git(root, "rev-parse", "--show-prefix").decode("utf-8", "surrogateescape").rstrip("\n")
    found = dict(_tree(root, commit, prefix))
    if not any(name.endswith(".flow") for name in found):
        raise Stop(
            f"revision `{revision}` has no flow in this folder", help="name a revision in which the bot is there"
        )
    blobs = _blobs(root, tuple(found.values()))
    texts = {name: _text(name, revision, blob) for name, blob in zip(found, blobs, strict=True)}
    inner = tuple(name.removesuffix(MANIFEST) for name in texts if name.endswith(f"/{MANIFEST}"))
    own = {name: text for name, text in texts.items() if not name.startswith(inner or ("\0",))}
    return replace(Project.of_texts(own), only=only)


def commit_of(revision: str, root: Path) -> str:
    """The commit that `revision` names, in hexadecimal. Raises Stop."""
    if revision.startswith("-"):
        raise Stop(f"`{revision}` is no revision: none begins with `-`")
    found = _commit(revision, root)
    if found is not None:
        return found
    if _run(root, "rev-parse", "--git-dir").returncode != 0:
        raise Stop(f"there is no file `{revision}`, and `{root}` lies in no git repository")
    raise Stop(f"there is no file and no revision `{revision}`", help="`git tag` and `git log` show what there is")


def _commit(revision: str, root: Path) -> str | None:
    """The commit that `revision`, which does not look like an option, names here; None where it names none."""
    found = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return found.stdout.decode().strip() if found.returncode == 0 else None


def _tree(root: Path, commit: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The texts of the tree below `prefix`, by their path relative to it, with the names of their blobs. What is no
    plain file is left out."""
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit)
    for entry in listed.split(b"\0"):
        head, _, name = entry.partition(b"\t")
        path = name.decode("utf-8", "surrogateescape")
        if head.startswith(b"100") and path.startswith(prefix) and path.endswith(TEXTS):
            yield path.removeprefix(prefix), head.split(b" ")[2].decode()


def _blobs(root: Path, names: Sequence[str]) -> Iterator[bytes]:
    """The contents of blobs, in order."""
    answer, at = _git(root, "cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode()), 0
    for name in names:
        end = answer.index(b"\n", at)
        head = answer[at:end].split(b" ")
        if len(head) != 3:
            raise Stop(f"git has no contents for `{name}`", help="fetch the whole repository: git fetch --unshallow")
        size = int(head[2])
        yield answer[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _text(name: str, revision: str, blob: bytes) -> str:
    try:
        return blob.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Stop(f"`{name}` of revision `{revision}` is not UTF-8 text (byte {error.start})") from error


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    """What git answers. Raises Stop with its first line where it fails."""
    done = _run(root, *arguments, given=given)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Stop(f"git {arguments[0]} failed: {said[0] if said else 'no reason given'}")
    return done.stdout


def _run(root: Path, *arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    folder = root if root.is_dir() else root.parent
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], input=given, capture_output=True, timeout=GIT_S, check=False
        )
    except FileNotFoundError as error:
        raise Stop("git is not installed here", help="install git, or name a file or a bundle") from error
    except subprocess.TimeoutExpired as error:
        raise Stop(f"git {arguments[0]} did not answer within {GIT_S:.0f} s") from error
