"""`axiom-hw demo`: what there is, one of them in an empty directory, and its files to change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from axiom_hw.board import available_boards
from axiom_hw.cli.demo import SHIPPED, complete_demos, demo_named, demos
from tests.test_demos import BUTTON, HEARTBEAT

ROOT = Path(__file__).parents[2]
LISTED = """\
button
    The LED follows the button; every press is counted, every edge comes with the kernel's time stamp.
    wiring  button from GPIO17 (pin 11) to ground, LED with 330 ohm from GPIO18 (pin 12) to ground (board rpi5-bench)
"""
HELPED = """\

axiom-hw demo NAME                 runs it on the mock bench: no hardware, in virtual time
axiom-hw demo NAME --board BOARD   runs it on the hardware, until Ctrl-C
axiom-hw demo NAME --copy [DIR]    gives you its files, to change them
"""


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "axiom_hw", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=directory, timeout=60, check=False)


def test_every_demo_is_listed_with_what_it_shows_and_its_wiring(cli):
    done = cli("demo")
    assert (done.code, done.err) == (0, "")
    assert LISTED in done.out
    assert done.out.endswith(HELPED)
    names = {path.stem for path in (ROOT / "demos").glob("[a-z]*.py")}
    assert {one.name for one in demos()} == {*names, "heartbeat/heartbeat"}
    for one in demos():
        assert one.shows.endswith("."), f"{one.name} says in a sentence what it shows"
        assert f"{one.name}\n    {one.shows}\n    wiring  {one.wiring.rstrip('.')}" in done.out
        assert one.board in ("", *available_boards())
        assert (one.wiring == "none.") <= (one.board == "")
        assert "\n" not in one.wiring


@pytest.mark.llvm
def test_a_demo_runs_on_the_mock_bench_unless_it_is_told_otherwise(tmp_path):
    done = run(tmp_path, "demo", "button")
    hint = "button on the mock bench; on a Pi that is wired to it: axiom-hw demo button --board rpi5-bench\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, BUTTON, hint)
    assert list(tmp_path.iterdir()) == []


def test_a_demo_finds_its_object_and_takes_the_options_of_a_run(tmp_path):
    done = run(tmp_path, "demo", "heartbeat/heartbeat", "--mock", "--engine", "interp", "--for", "1200ms")
    assert (done.returncode, done.stdout, done.stderr) == (0, HEARTBEAT, "")


def test_on_a_machine_without_its_hardware_a_demo_says_so(tmp_path):
    done = run(tmp_path, "demo", "button", "--board", "rpi5-bench")
    assert done.returncode == 1
    assert "mock bench" not in done.stderr.splitlines()[0]
    assert "fix    run with --mock" in done.stderr


def test_unknown_names_are_told_with_the_near_ones(cli):
    done = cli("demo", "buton")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "demo `buton`: isn't among those that come with axiom-hw\n    fix    did you mean button?\n"
    )  # fmt: skip
    assert f"fix    there are {', '.join(one.name for one in demos())}\n" in cli("demo", "xyz").err
    assert cli("demo", "--mock").err == (
        "axiom-hw demo: is given options and no demo\n    fix    `axiom-hw demo` lists their names\n"
    )


def test_a_copy_is_the_demo_with_its_board_and_runs_where_it_lies(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli("demo", "button", "--copy", "mine")
    assert done.code == 0
    assert done.out == (
        "mine/button.py\nmine/boards/rpi5-bench.toml\n\nrun it:  cd mine && axiom-hw run button.py --mock\n"
    )
    assert (tmp_path / "mine/button.py").read_bytes() == (ROOT / "demos/button.py").read_bytes()
    assert cli("demo", "button", "--copy", "mine").code == 0, "what is the same may be there already"
    (tmp_path / "mine/boards/rpi5-bench.toml").write_text("model = 'mine'\n")
    (tmp_path / "mine/button.py").unlink()
    again = cli("demo", "button", "--copy", "mine")
    assert (again.code, again.err) == (
        1,
        "mine/boards/rpi5-bench.toml: is there already, and isn't the demo's; nothing was written\n"
        "    fix    name another directory: axiom-hw demo button --copy DIR\n",
    )
    assert not (tmp_path / "mine/button.py").exists()


def test_a_copy_of_a_demo_in_c_has_its_source_and_its_object(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli("demo", "heartbeat/heartbeat", "--copy")
    assert done.out.splitlines() == [
        "axiom_hw.bpf.h", "heartbeat.bpf.c", "heartbeat.bpf.o", "heartbeat.py",
        "", "run it:  axiom-hw run heartbeat.py --mock",
    ]  # fmt: skip
    (tmp_path / "file").touch()
    done = cli("demo", "button", "--copy", "file/in")
    assert done.err == (
        "file/in/button.py: can't be written: Not a directory\n    fix    name a directory of your own\n"
    )
    done = cli("demo", "button", "--copy", "a", "b")
    assert done.err == (
        "axiom-hw demo --copy: can't take a b\n    fix    name one directory, or none for this one\n"
    )  # fmt: skip


def test_names_are_completed():
    assert complete_demos("heart") == ["heartbeat", "heartbeat/heartbeat"]
    assert demo_named("safety").path == SHIPPED / "safety.py"
