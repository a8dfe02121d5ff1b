"""Whoever is killed, and wherever: the old release or the new one runs, and the next deploy goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.deploy import apps
from tests.deploy.rig import Rig

LIMIT_S: Final = 60
BOARD: Final = 'model = "Raspberry Pi 5"\n\n[serial.gps]\nport = "/dev/ttyAMA0"\nbaud = 9600\noptional = true\n'


def _everything_new(rig: Rig, folder: Path) -> Path:
    """A second version for which every step has something to do."""
    agent = rig.root / "opt/axiom/beat/agent.pyz"
    agent.write_bytes(agent.read_bytes() + b"\n")  # another version, which works as well
    (folder / "requirements.txt").write_text("six==1.17.0\n")
    (folder / "gps.toml").write_text(BOARD)
    return apps.beat(folder, 2)


def _kill_at(rig: Rig, app: Path, line: str, there: Callable[[], bool]) -> None:
    """Deploy, and kill the laptop's process with -9 in the middle of a step: when `there` is so behind its line."""
    process = rig.start("deploy", APP=str(app), BOARD=str(app.with_name("gps.toml")))
    assert process.stdout is not None
    said = ""
    for text in process.stdout:
        said += text
        if text == f"[{rig.host}] {line}\n":
            break
    else:
        raise AssertionError(said)
    _until(there)
    process.kill()
    process.communicate()


def test_the_laptop_is_killed_in_every_step(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("project")
    assert rig.deploy(apps.beat(folder, 1)).status == 0
    one = rig.running("beat")
    app = _everything_new(rig, folder)
    base = rig.root / "opt/axiom/beat"
    steps: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("put the agent in place", lambda: True),
        ("send wheels", lambda: any("six" in str(path) for path in (base / "wheels").rglob("*"))),
        ("send and build the release", lambda: bool(rig.pids_of(f"--requirement {base}/releases/"))),
        ("prepare the board", lambda: True),
        ("switch, and wait for the health gate", lambda: (base / "trial.json").exists()),
    )
    for line, there in steps:
        _kill_at(rig, app, line, there)
        if line != steps[-1][0]:
            assert rig.running("beat") == one, line
    # The board ends by itself what the laptop began.
    _until(lambda: not (base / "trial.json").exists())
    two = rig.running("beat")
    assert two != one
    assert (base / "releases" / two / "proven").exists()
    last = rig.deploy(app, BOARD=str(folder / "gps.toml"))
    assert (last.status, f"release {two} of beat runs; 0 changes" in last.text) == (0, True), last.text
    assert not list((rig.root / "run").glob("axiom-*.lock"))
    assert not list((rig.root / "tmp").iterdir())


def test_the_agent_is_killed_in_the_switch(board: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody decides any more: the release that nobody proved gives way at the next start, as after a power cut."""
    folder = tmp_path_factory.mktemp("project")
    base = board.root / "opt/axiom/beat"
    assert board.deploy(apps.beat(folder, 1)).status == 0
    one = board.running("beat")

    process = board.start("deploy", APP=str(apps.beat(folder, 2)), SETTLE="30")
    _until(lambda: (base / "trial.json").exists() and board.running("beat") not in ("", one))
    for pid in board.pids_of(f"{base}/agent.pyz --root {board.root} --settle 30"):
        os.kill(pid, signal.SIGKILL)
    said, _ = process.communicate()
    two = board.running("beat")
    assert process.returncode == 1
    assert f"the unproven release {two} runs" in said, said

    os.kill(board.pid("beat"), signal.SIGKILL)
    _until(lambda: board.running("beat") == one)
    assert f"a switch to {two} was cut off before it was proven: back to {one}" in board.journal("beat")
    assert board.current("beat") == one
    done = board.deploy(apps.beat(folder, 2))
    assert done.status == 0, done.text


def test_the_connection_is_cut_in_the_switch(board: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The board goes on; the laptop asks it what became of it, over a new connection, and says so."""
    folder = tmp_path_factory.mktemp("project")
    base = board.root / "opt/axiom/beat"
    process = board.start("deploy", APP=str(apps.beat(folder, 3)), SETTLE="3")
    _until(lambda: (base / "trial.json").exists())
    sshd = board.processes[-1].pid
    for pid in subprocess.run(["pgrep", "-P", str(sshd)], capture_output=True, text=True, check=False).stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    said, _ = process.communicate()
    assert process.returncode == 1
    assert f"{board.host}: the connection was cut" in said, said
    assert f"{board.host}: the proven release {board.running('beat')} runs; deploy again: what has" in said, said
    last = board.deploy(apps.beat(folder, 3))
    assert "0 changes" in last.text, last.text


def _until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)
