"""The layout of the repository: what is imported from where, and what a wheel holds."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
LAYERS = ("cli", "compiler", "dsl", "runtime")
IMPORTED = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
EXEMPTION = re.compile(r"# (?:type: ignore|noqa)")
REASON = re.compile(r"# (?:type: ignore\[[\w, -]+\]|noqa: [A-Z0-9, ]+?) +(?:#|-) *[\w`]")
# Dependencies that another one loads: uvicorn, anyio, `zoneinfo`.
LOADED_BY_NAME = {"httptools", "uvloop", "tzdata"}


def test_layers_import_only_what_they_may() -> None:
    # Its own process: the linter puts the working directory on sys.path, where the bare names of the layers are.
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_packages_in_pyproject_are_the_packages_on_disk() -> None:
    on_disk = {
        ".".join((name, *init.parent.relative_to(ROOT / folder).parts))
        for name, folder in SETUPTOOLS["package-dir"].items()
        for init in (ROOT / folder).rglob("__init__.py")
        if "templates" not in init.parts
    }
    assert on_disk == set(SETUPTOOLS["packages"])


def test_every_python_file_lies_in_a_package() -> None:
    orphans = [
        str(module.relative_to(ROOT))
        for folder in LAYERS
        for module in (ROOT / folder).rglob("*.py")
        if "templates" not in module.parts and not (module.parent / "__init__.py").exists()
    ]
    assert orphans == []


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_is_typed(layer: str) -> None:
    assert files(f"flowc.{layer}").joinpath("py.typed").is_file()


def test_dependencies_are_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(line.split("==")[0]) for line in lines if not line.startswith("#")}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(each for extra in extras for each in extra)]
    names = {canonicalize_name(Requirement(each).name) for each in wanted}
    assert names - {"flowc"} <= pinned


def test_every_dependency_is_imported() -> None:
    texts = [at.read_text() for layer in LAYERS for at in (ROOT / layer).rglob("*.py")]
    modules = {module for text in texts for module in IMPORTED.findall(text)}
    owners = packages_distributions()
    imported = {canonicalize_name(owner) for module in modules for owner in owners.get(module, ())}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *(each for name in extras if name != "dev" for each in extras[name])]
    assert {canonicalize_name(Requirement(each).name) for each in wanted} - LOADED_BY_NAME <= imported


def test_every_exemption_has_a_reason() -> None:
    bare = [
        f"{at.relative_to(ROOT)}:{number}"
        for layer in LAYERS
        for at in (ROOT / layer).rglob("*.py")
        for number, line in enumerate(at.read_text().splitlines(), 1)
        if EXEMPTION.search(line) and not REASON.search(line)
    ]
    assert bare == []


def test_what_the_makefile_runs_is_there() -> None:
    named = re.findall(r"\b(?:scripts|benchmarks)/\w+\.py", (ROOT / "Makefile").read_text())
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_pins_say_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if "/" in line or "@" in line] == []
