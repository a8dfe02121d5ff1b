"""Units of `axiom_hw.service` under a real systemd, on the mock bench: what it hears, kills, and starts again."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiom_hw.backends.wires import Wires
from axiom_hw.board import load_board
from axiom_hw.service import Unit, unit_text
from tests.systemd import machine

WHY_NOT = machine.why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no systemd of one's own: {WHY_NOT}")

BOARD = machine.ROOT / "boards/rpi5-bench.toml"
LAMP = """\
import time
import axiom_hw as hw

app = hw.App("lamp", board="rpi5-bench")

@app.on("timer/50ms")
def light(ctx: hw.TimerEvent) -> int:
    hw.gpio_set("led", 1)
    return 0

def body() -> None:
    print("\\x1b[1mthe lamp\\x1b[0m is on", flush=True)
    {body}

app.main(body)
"""
HANGS = LAMP.format(body="app.runtime.scheduler.after(500_000_000, lambda *_: time.sleep(1000)); app.wait()")
REFUSED = 'import axiom_hw as hw\n\n@hw.App("x").on("gpoi/button")\ndef f(ctx: hw.GpioEvent) -> int:\n    return 0\n'
JOURNAL = """
journal() { journalctl -u $1 -o json --no-pager | python3 -c '
import json, sys
for line in sys.stdin:
    found = json.loads(line)
    print(found["PRIORITY"], found["MESSAGE"])'; }
"""


def unit(app: str) -> str:
    """Of an app on the mock bench, supervised; with a watchdog for people who can't wait."""
    text = unit_text(Unit(
        f"/opt/axiom-test/{app}.py", (machine.python(), "-m", "axiom_hw"), load_board(BOARD), name=app,
        board_option=str(BOARD), options=("--mock", "--real-time", "--state", "/var/lib/axiom_hw"),
        watchdog_s=4, restart_s=1,
    ))  # fmt: skip
    # A unit of a bench with pins makes outputs safe once more by `stop safe`, behind a process that was killed; before
    # that is over, systemd kills no supervisor. A mock bench has no such line: without it the supervisor would race.
    own = f"Environment=PYTHONPATH={machine.paths()}\nExecStopPost=/bin/sleep 1\n"
    return text.replace("[Service]\n", f"[Service]\n{own}", 1)


def said(tmp_path: Path, apps: dict[str, str], script: str) -> list[str]:
    units = {f"{name}.service": unit(name) for name in apps}
    files = {f"{name}.py": text for name, text in apps.items()}
    return machine.run(tmp_path, units, files, JOURNAL + script).splitlines()


def test_a_service_starts_when_it_is_ready_and_stops_with_its_outputs_safe(tmp_path: Path) -> None:
    lines = said(tmp_path, {"lamp": LAMP.format(body="app.wait()")}, """
        systemctl start lamp && echo started
        sleep 1
        systemctl show lamp -p SubState,StatusText,NRestarts
        maps=/proc/$(systemctl show lamp -p MainPID --value)/maps
        cp $maps /tmp/out/maps
        cp /var/lib/axiom_hw/rpi5-bench.wires /tmp/out/on.wires
        systemctl stop lamp && echo stopped
        systemctl show lamp -p Result,ExecMainStatus
        cp /var/lib/axiom_hw/rpi5-bench.wires /tmp/out/off.wires
        journal lamp
    """)  # fmt: skip
    assert lines[0] == "started"
    found = dict(line.partition("=")[::2] for line in lines if "=" in line)
    assert found["SubState"] == "running"
    assert found["StatusText"].startswith("1 program on rpi5-bench, ")
    assert (found["NRestarts"], found["Result"], found["ExecMainStatus"]) == ("0", "success", "0")
    assert any(line.startswith("6 lamp: ready, 1 program on rpi5-bench, ") for line in lines)
    assert "6 the lamp is on" in lines, "without colour"
    maps = (tmp_path / "out/maps").read_text()
    assert " rwx" not in maps
    if "llvmlite" in maps:
        assert "r-xp" in next(line for line in maps.splitlines() if "memfd:axiom:light" in line and "r-x" in line)
    wires = {name: Wires(tmp_path / f"out/{name}.wires", load_board(BOARD)) for name in ("on", "off")}
    assert (wires["on"].level("led"), wires["off"].level("led")) == (1, 0)
    assert wires["off"].is_safe()


def test_one_that_hangs_is_killed_its_outputs_are_safe_and_it_starts_again(tmp_path: Path) -> None:
    lines = said(tmp_path, {"hangs": HANGS}, """
        systemctl start hangs && echo started
        for i in $(seq 300); do
            [ "$(systemctl show hangs -p Result --value)" = watchdog ] && break
            sleep 0.05
        done
        systemctl show hangs -p Result
        cp /var/lib/axiom_hw/rpi5-bench.wires /tmp/out/killed.wires
        for i in $(seq 300); do
            [ "$(systemctl show hangs -p NRestarts --value)" = 1 ] && break
            sleep 0.05
        done
        systemctl show hangs -p NRestarts
        systemctl stop hangs
        journal hangs
    """)  # fmt: skip
    assert lines[:3] == ["started", "Result=watchdog", "NRestarts=1"]
    hung = "no event passes through the timers' thread"
    told = next(line for line in lines if line.startswith("2 watchdog: "))
    assert hung in told, "and whoever else is late on a busy machine"
    assert told.endswith("; systemd is told nothing, and will end this process")
    assert "6 Fatal Python error: Aborted" in lines, "the stacks say where"
    assert any("outputs of rpi5-bench made safe in" in line and line.startswith("4 ") for line in lines)
    assert Wires(tmp_path / "out/killed.wires", load_board(BOARD)).is_safe()


def test_a_program_that_is_refused_isnt_started_again(tmp_path: Path) -> None:
    lines = said(tmp_path, {"refused": REFUSED}, """
        systemctl start refused || echo failed
        sleep 2
        systemctl show refused -p NRestarts,ExecMainStatus,ActiveState
        journal refused
    """)  # fmt: skip
    assert {"failed", "NRestarts=0", "ExecMainStatus=65", "ActiveState=failed"} <= set(lines)
    assert any(line.startswith("3 section 'gpoi/button': names no hook; did you mean `gpio`?") for line in lines), lines
