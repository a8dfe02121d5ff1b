"""`axiom-hw new`: a project that works, under a name that may be, where there is room."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from axiom_hw.board import load_board
from axiom_hw.cli.new import FILES, TEMPLATE

ROOT = Path(__file__).parents[2]
MADE = """\
robot/robot.py
robot/boards/robot.toml
robot/tests/test_robot.py
robot/README.md
robot/pyproject.toml
robot/.gitignore

next:  cd robot
       axiom-hw run robot.py --mock   # no hardware
       pytest                         # pip install pytest brings it
"""
RAN = "    0.407 s  press 1: led on\n    0.907 s  press 2: led off\n    1.407 s  press 3: led on\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(directory: Path, *command: str) -> str:
    """What a command prints that goes well."""
    environment = {**os.environ, "MYPYPATH": str(ROOT)}  # where mypy finds what is installed from a checkout
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, env=environment, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.llvm
def test_the_project_runs_passes_its_test_and_is_clean(cli, here):
    done = cli("new", "robot")
    assert (done.code, done.out, done.err) == (0, MADE, "")
    project = here / "robot"
    assert sorted(path.name for path in here.iterdir()) == ["robot"]
    assert stat.S_IMODE(project.stat().st_mode) == 0o777 & ~_umask()
    assert run(project, sys.executable, "-m", "axiom_hw", "run", "robot.py", "--mock") == RAN
    assert "1 passed" in run(project, sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    run(project, sys.executable, "-m", "ruff", "check", "--no-cache")
    run(project, sys.executable, "-m", "ruff", "format", "--check", "--no-cache")


def test_its_files_say_nothing_of_the_template(cli, here):
    cli("new", "robot")
    for path in (here / "robot").rglob("*"):
        assert "my_project" not in path.name
        assert path.is_dir() or "my_project" not in path.read_text()


def test_the_template_is_what_the_list_of_its_files_says():
    ignored = ("__pycache__", ".ruff_cache", ".pytest_cache", ".mypy_cache")
    found = {str(path.relative_to(TEMPLATE)) for path in TEMPLATE.rglob("*") if path.is_file()}
    assert {path for path in found if not any(part in path for part in ignored)} == set(FILES)


def test_a_project_is_for_the_machine_of_a_board(cli, here):
    assert cli("new", "robot", "--board", "rpi4-bench").code == 0
    made, like = load_board("robot/boards/robot.toml"), load_board("rpi4-bench")
    assert (
        (made.model, made.chips[0].label) == (like.model, like.chips[0].label) == ("Raspberry Pi 4", "pinctrl-bcm2711")
    )
    usable = (
        "fix    begin with a board that does: --board cm5-bench or qemu or rpi4-bench or rpi5-bench or zero2w-bench\n"
    )
    assert cli("new", "pc", "--board", "pc").err == f"board `pc`: names no chip for a button and an LED\n    {usable}"
    assert (
        cli("new", "rover", "--board", "rpi5-rover").err
        == f"board `rpi5-rover`: names no model of machine\n    {usable}"
    )
    assert "did you mean `rpi4-bench`?" in cli("new", "other", "--board", "rpi4-benc").err
    assert [path.name for path in here.iterdir()] == ["robot"]


def test_the_last_part_of_a_path_is_the_name_and_an_empty_directory_is_taken(cli, here):
    (here / "code/robot").mkdir(parents=True)
    assert cli("new", "code/robot").out.startswith("code/robot/robot.py\n")
    assert cli("new", "elsewhere/deep/robot").code == 0
    assert (here / "elsewhere/deep/robot/tests/test_robot.py").is_file()


@pytest.mark.parametrize(
    ("name", "problem", "instead"),
    [
        ("my-robot", "`my-robot` can't be the name of a Python package", "my_robot"),
        ("3d", "`3d` can't be the name of a Python package", "project_3d"),
        ("robot_", "`robot_` can't be the name of a Python package", "robot"),
        ("röbot", "`röbot` can't be the name of a Python package", "r_bot"),
        ("ö", "`ö` can't be the name of a Python package", "project"),
        ("class", "`class` is a word of Python", "my_class"),
        ("json", "Python has a module `json`, which yours would hide", "my_json"),
        ("tests", "`tests` is the name of something else in a project", "my_tests"),
        ("axiom_hw", "a package `axiom_hw` is installed here, which yours would hide", "my_axiom_hw"),
        ("typer", "a package `typer` is installed here, which yours would hide", "my_typer"),
        (".", "names no directory to make", "my_project"),
    ],
)
def test_a_name_that_is_no_package_is_refused_with_one_that_is(cli, here, name, problem, instead):
    done = cli("new", name)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"axiom-hw new {name}: {problem}\n    fix    ")
    assert done.err.endswith(f": axiom-hw new {instead}\n")
    assert list(here.iterdir()) == []


def test_what_is_there_already_is_left_alone(cli, here):
    (here / "robot").mkdir()
    for name in "abcd":
        (here / "robot" / name).touch()
    (here / "file").touch()
    fix = "\n    fix    choose another name; nothing was written\n"
    assert cli("new", "robot").err == f"robot: is there already, and holds a, b, c, ...{fix}"
    assert cli("new", "file").err == f"file: is there already, and is no directory{fix}"
    assert cli("new", "file/robot").err == (
        "file: can't be made: File exists; nothing was written\n    fix    name a path where you may write\n"
    )
    assert sorted(path.name for path in here.iterdir()) == ["file", "robot"]


def test_a_disk_that_fails_leaves_nothing(cli, here, monkeypatch):
    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    assert cli("new", "robot").err == (
        "robot: can't be made: No space left on device; nothing was written\n"
        "    fix    name a path where you may write\n"
    )
    assert list(here.iterdir()) == []


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
