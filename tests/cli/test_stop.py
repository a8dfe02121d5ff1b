"""`axiom-hw stop` and `audit`, on what a run has left in its directory of state."""

from __future__ import annotations

from pathlib import Path

from axiom_hw.app import App
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.options import Options

LED = "r1 = 18\nr2 = 1\ncall gpio_set\nexit"
STOP = "r1 = 7\ncall emergency_stop\nexit"


def ran(state: Path, *programs: str, hook: str = "timer/10ms") -> None:
    """A run on the mock of 50 ms of virtual time, each program on its timer."""
    app = App("x", "rpi5-bench")
    for number, text in enumerate(programs):
        app.load(assemble_insns(text), on=hook, name=f"program{number}")
    with app.running(Options(mock=True, state=str(state), duration_ns=25_000_000)):
        app.wait()


def test_of_nothing_nothing_is_told(cli, tmp_path):
    assert cli("stop", "status", "--state", tmp_path).out == (
        f"no board was guarded yet: {tmp_path} holds nothing of any\n"
    )
    assert cli("audit", "--state", tmp_path).err == (
        f"{tmp_path}: holds nothing of any board\n"
        "    fix    say which: --board NAME; or another directory: --state DIR\n"
    )
    release = cli("stop", "release", "--operator", "Ada", "--state", tmp_path)
    assert (release.code, release.err) == (1, (
        f"{tmp_path}: has no board with a latched stop\n"
        "    fix    say which: --board NAME; or another directory: --state DIR\n"
    ))  # fmt: skip


def test_a_stop_of_a_program_is_told_and_released_by_a_person(cli, tmp_path):
    ran(tmp_path, LED, STOP)
    told = cli("stop", "status", "--state", tmp_path)
    assert told.code == 3
    assert ", by program1: reason 7; no process drives its outputs\n" in told.out
    assert cli("stop", "release", "--operator", " ", "--state", tmp_path).code == 1
    assert cli("stop", "release", "--operator", "Ada", "--state", tmp_path).out == (
        "rpi5-bench: released by Ada; what latched it was program1: reason 7\n"
    )
    again = cli("stop", "status", "--state", tmp_path)
    assert (again.code, again.out) == (
        0,
        "rpi5-bench: the emergency stop isn't latched; no process drives its outputs\n",
    )
    assert cli("stop", "release", "--operator", "Ada", "--board", "rpi5-bench", "--state", tmp_path).out == (
        "rpi5-bench: nothing to release, the emergency stop isn't latched\n"
    )


def test_a_stop_before_the_first_run_holds_it(cli, tmp_path):
    cli("stop", "now", "--reason", "not yet wired", "--board", "rpi5-bench", "--state", tmp_path)
    ran(tmp_path, LED)
    rows = cli("audit", "--state", tmp_path, "--refused").out.splitlines()
    assert rows[0] == "rpi5-bench: no process runs"
    assert rows[2].split(maxsplit=6)[2:] == [
        "program0", "led", "1", "0", "made safe, because the emergency stop is latched (EPERM)",
    ]  # fmt: skip
    assert len(rows) == 4, "two orders in 25 ms"


def test_a_slip_in_the_name_of_a_stopped_board_is_told(cli, tmp_path):
    first = cli("stop", "now", "--reason", "x", "--board", "rpi5-bench", "--state", tmp_path)
    assert (first.code, first.err) == (0, f"note: {tmp_path} knows no rpi5-bench yet; it knows no board\n")
    assert cli("stop", "now", "--reason", "x", "--board", "rpi5-bench", "--state", tmp_path).err == ""
    slip = cli("stop", "now", "--reason", "x", "--board", "rpi5-bemch", "--state", tmp_path)
    assert (slip.code, slip.err) == (0, f"note: {tmp_path} knows no rpi5-bemch yet; it knows rpi5-bench\n")


def test_the_audit_shows_the_last_decisions_with_their_times(cli, tmp_path):
    ran(tmp_path, LED)
    lines = cli("audit", "--state", tmp_path, "--last", 4).out.splitlines()
    assert lines[1].split() == ["NUMBER", "AT", "WHO", "OUTPUT", "WANTED", "WRITTEN", "VERDICT"]
    assert lines[2].split() == ["2", "0.020000", "program0", "led", "1", "1", "applied"] or "close" in lines[2]
    full = cli("audit", "--state", tmp_path).out
    assert "1       0.010000  program0  led" in full


def test_several_boards_are_told_apart(cli, tmp_path):
    for board in ("a", "b"):
        cli("stop", "now", "--reason", "x", "--board", board, "--state", tmp_path)
    told = cli("stop", "release", "--operator", "Ada", "--state", tmp_path)
    assert told.err.startswith(f"{tmp_path}: has several boards with a latched stop: a, b\n")
    assert cli("stop", "release", "--operator", "Ada", "--board", "a", "--state", tmp_path).code == 0
    assert cli("stop", "status", "--board", "a", "--state", tmp_path).code == 0
    assert cli("stop", "status", "--board", "b", "--state", tmp_path).code == 3
