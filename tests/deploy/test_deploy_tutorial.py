"""The tutorial's page on deploying: its commands are typed, and print what it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.deploy.rig import Rig
from tests.pages import Command, Save, Where, broken_promise, run, steps

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial"
HOST = "pi@raspberrypi.local"


def test_the_page_on_deploying(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a clone, with the project as pages 1 to 3 leave it. The Pi is another host, which has no pins."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    _made(clone)
    (clone / "pins").mkdir()
    words = {"KEY": rig.tree / "key", "WHEEL": rig.wheel, "SETTLE": "0.5", "ARGS": "'--mock --real-time'"}
    host = " ".join([f"HOST={rig.host}", *(f"{name}={word}" for name, word in words.items())])
    for name, value in rig.environment().items():
        monkeypatch.setenv(name, value)
    before = [one for name in ("2-first-program", "3-sensor") for one in steps(TUTORIAL / f"{name}.md")]
    begun = [one for one in before if isinstance(one, Save) or one.text.startswith(("axiom-hw new", "cd "))]
    page = [_elsewhere(one, host, rig.host) for one in steps(TUTORIAL / "6-deploy.md")]
    todo = [Command("cd pins", "", Where.HERE), *begun, *page]
    done = run(todo, clone, frozenset({Where.HERE, Where.DEPLOY}), Path(sys.executable).parent, timeout_s=600)
    assert len(done) > 8
    if any(broken := [broken_promise(one) for one in done]):
        pytest.fail("\n".join(filter(None, broken)), pytrace=False)


def _made(clone: Path) -> None:
    """As `make setup` leaves it, but with the commands of this environment, which nothing there can change."""
    commands = clone / ".venv/bin"
    commands.mkdir(parents=True)
    script = commands / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    os.utime(clone / "pyproject.toml", (0, 0))  # older than what was made of it
    for stamp in (".ready", ".deploy"):
        (clone / ".venv" / stamp).touch()


def _elsewhere(one: Save | Command, instead: str, host: str) -> Save | Command:
    """The command for another host than the one that the page names."""
    if isinstance(one, Save):
        return one
    return replace(one, text=one.text.replace(f"HOST={HOST}", instead), shown=one.shown.replace(HOST, host))
