"""What is installed is all that is needed: the wheel's content, and the wheel at work in an empty directory.

The first tests build the wheel and run it as it lies in its archive. `make test-wheel` also installs it, into a clean
environment, and runs what a newcomer would.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from axiom_hw.cli.demo import demos
from axiom_hw.cli.new import FILES
from tests.test_demos import BUTTON

ROOT = Path(__file__).parents[1]
SOURCES = ("axiom_hw", "boards", "demos", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
MADE = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache")
INSTALLS = pytest.mark.skipif(not os.environ.get("AXIOM_WHEEL"), reason="`make test-wheel` installs it")


def run(directory: Path, *command: str | Path, **environment: str) -> str:
    """What a command prints, on both streams, that goes well in a directory."""
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=directory,
        env={**_clean(), **environment}, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}


def built(kind: str, source: Path, target: Path) -> Path:
    """An archive, built by what pyproject.toml names, with what is in this environment: nothing is downloaded."""
    target.mkdir(exist_ok=True)
    name = run(source, sys.executable, "-c", BUILD, kind, target).splitlines()[-1]
    return target / name


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the repository, without what was left over by other builds; links are links."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=MADE)
        else:
            shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("build_wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def opened(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, as pip would put them into a directory of modules."""
    directory = tmp_path_factory.mktemp("opened")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


def test_the_wheel_holds_the_package_and_nothing_else(source: Path, opened: Path) -> None:
    found = {str(path.relative_to(opened)) for path in opened.rglob("*") if path.is_file()}
    info = {path for path in found if ".dist-info/" in path}
    package = {str(path.relative_to(source)) for path in (source / "axiom_hw").rglob("*") if path.is_file()}
    package |= {f"axiom_hw/boards/{path.name}" for path in (source / "boards").iterdir()}
    kept = (".py", ".s", ".c", ".h", ".o")
    package |= {f"axiom_hw/{path.relative_to(source)}" for path in (source / "demos").rglob("*") if path.suffix in kept}
    assert package >= {f"axiom_hw/cli/project_template/{file}" for file in FILES} | {"axiom_hw/py.typed"}
    assert found - info == package
    assert {path.partition("/")[2] for path in info} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt",
    }  # fmt: skip
    metadata = next(opened.glob("*.dist-info/METADATA")).read_text()
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata


@pytest.mark.llvm
def test_a_demo_runs_from_the_wheel_in_an_empty_directory(opened: Path, tmp_path: Path) -> None:
    where = run(tmp_path, sys.executable, "-c", "import axiom_hw; print(axiom_hw.__file__)", PYTHONPATH=str(opened))
    assert Path(where.strip()).is_relative_to(opened)
    printed = run(tmp_path, sys.executable, "-m", "axiom_hw", "demo", "button", "--mock", PYTHONPATH=str(opened))
    assert printed == BUTTON
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`bin/` of a new environment: the wheel of the sdist, what it depends on, and the tools of a project's tests."""
    place = tmp_path_factory.mktemp("installed")
    with tarfile.open(built("build_sdist", source, place / "sdist")) as archive:
        archive.extractall(place / "unpacked", filter="data")
    (unpacked,) = (place / "unpacked").iterdir()
    wheel = built("build_wheel", unpacked, place / "wheel")
    venv.create(place / "env", with_pip=True)
    # Its own tools last: `pip install axiom-hw` alone has to be enough for everything but the tests.
    tools = place / "env/bin"
    run(place, tools / "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    run(place, tools / "pip", "install", "--quiet", "--disable-pip-version-check", "pytest", "mypy", "ruff")
    yield tools
    shutil.rmtree(place)


@INSTALLS
def test_the_wheel_of_the_sdist_is_the_wheel(wheel: Path, installed: Path) -> None:
    (other,) = installed.parents[1].glob("wheel/*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(other) as two:
        assert {entry.filename: entry.CRC for entry in one.infolist() if "RECORD" not in entry.filename} == {
            entry.filename: entry.CRC for entry in two.infolist() if "RECORD" not in entry.filename
        }


@INSTALLS
def test_all_demos_run_to_their_end(installed: Path, tmp_path: Path) -> None:
    listed = [line for line in run(tmp_path, installed / "axiom-hw", "demo").splitlines() if re.match(r"\S+$", line)]
    assert listed == [one.name for one in demos()]
    for name in listed:
        assert len(run(tmp_path, installed / "axiom-hw", "demo", name).splitlines()) > 4, name
    assert run(tmp_path, installed / "axiom-hw", "demo", "button").endswith(BUTTON)
    assert list(tmp_path.iterdir()) == []


@INSTALLS
def test_a_copied_demo_runs_where_it_lies(installed: Path, tmp_path: Path) -> None:
    for name in ("button", "heartbeat/heartbeat"):
        copied = run(tmp_path, installed / "axiom-hw", "demo", name, "--copy", name)
        (command,) = re.findall(r"^run it:  (.*)$", copied, flags=re.MULTILINE)
        assert run(tmp_path, "bash", "-c", f'PATH={installed}:"$PATH"; {command}')


@INSTALLS
def test_a_new_project_works_and_is_clean(installed: Path, tmp_path: Path) -> None:
    run(tmp_path, installed / "axiom-hw", "new", "my_project")
    project = tmp_path / "my_project"
    assert run(project, installed / "axiom-hw", "run", "my_project.py", "--mock").count("led on") == 2
    assert "1 passed" in run(project, installed / "pytest")
    assert "accepted" in run(project, installed / "axiom-hw", "verify", "my_project.py")
    assert "Success" in run(project, installed / "mypy")
    run(project, installed / "ruff", "check")
    run(project, installed / "ruff", "format", "--check")
    run(project, installed / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "made", ".")
    assert [path.name for path in (project / "made").iterdir()] == ["my_project-0.1.0-py3-none-any.whl"]
