"""The page on the mock bench, and the one on testing: their oven runs and is tested, their verbs are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from axiom_hw.bench import Later, MockBench, MotorModel, ThermalModel
from axiom_hw.bench.faults import Fault
from axiom_hw.bench.probes import Probe
from tests.console_blocks import sessions
from tests.test_docs import blocks, run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/mock-bench.md").read_text()
TESTING = (ROOT / "docs/testing.md").read_text()


@pytest.fixture
def oven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three files, as the pages tell to save them."""
    (board,), (application,), (tests,) = blocks(PAGE, "toml"), blocks(PAGE, "python"), blocks(TESTING, "python")
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/oven.toml").write_text(board)
    (tmp_path / "oven.py").write_text(application)
    (tmp_path / "test_oven.py").write_text(tests)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.llvm
@pytest.mark.usefixtures("oven")
def test_the_world_prints_what_the_page_shows() -> None:
    (session,) = sessions(PAGE)
    assert run("-m", "axiom_hw", *session.command.removeprefix("axiom-hw ").split()).endswith(session.shown)


@pytest.mark.llvm
def test_the_tests_of_the_oven_pass_and_a_failure_looks_as_shown(oven: Path) -> None:
    def pytest_run() -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_oven.py"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout

    assert "3 passed" in pytest_run()
    file = oven / "test_oven.py"
    file.write_text(file.read_text().replace('("3s", 0)', '("2s", 0)'))
    (shown,) = blocks(TESTING, "text")
    assert shown in pytest_run()


def test_each_verb_of_the_tables_is_there_and_each_that_is_there_is_in_the_tables() -> None:
    verbs: dict[str, set[str]] = {}
    for title, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL):
        rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
        verbs[title] = {name for row in rows for name in re.findall(r"`(\w+)\(", row)}
    hidden = {"due_ns", "do_later", "step"}  # of a moment: for models and faults
    assert verbs["Hands"] == public(Later) - hidden
    devices = {"runtime", "after", "last_step_ns", "busy_until", "goes_on_until", "read_again_at"}
    assert verbs["Time, and what is seen"] | verbs["Hands"] - {"do"} == public(MockBench) - devices
    assert verbs["Signals"] == public(Probe)
    assert verbs["Faults"] == public(Fault)
    for model in (ThermalModel, MotorModel):
        assert f"{model.__name__}(bench, " in PAGE


def public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}
