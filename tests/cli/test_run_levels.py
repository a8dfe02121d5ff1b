"""`axiom-hw run` of a program file on the mock: what the program does to the outputs is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from axiom_hw.cli import main

BLINK = """
.section "timer/500ms"
blink:
    r2 = *(u32 *)(r1 + 8)
    r2 &= 1
    r1 = 18
    call gpio_set
    r0 = 0
    exit
"""
SERVO_AND_RELAY = """
.section "timer/1s"
sweep:
    r6 = *(u32 *)(r1 + 8)
    r1 = 0
    r2 = 0
    r3 = 10                     // 10 % of 20 ms, each time the same
    call pwm_write
    r1 = 27                     // the relay, which switches on a low level
    r2 = r6
    r2 &= 1
    call gpio_set
    r0 = 0
    exit
"""


def outputs(capsys: pytest.CaptureFixture[str], source: Path, *options: str) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        main(["run", str(source), "--mock", "--board", "rpi5-bench", *options])
    assert ended.value.code == 0
    return capsys.readouterr().out.splitlines()


def test_each_change_of_a_line_is_printed_the_safe_state_at_the_end_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "blink.bpf.s"
    source.write_text(BLINK)
    assert outputs(capsys, source, "--for", "1.7s") == [
        "    0.500 s  led    on",
        "    1.000 s  led    off",
        "    1.500 s  led    on",
        "    1.700 s  led    off",
    ]


def test_times_count_from_the_start_of_the_run_in_real_time_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "blink.bpf.s"
    source.write_text(BLINK.replace("500ms", "20ms"))
    first = outputs(capsys, source, "--real-time", "--for", "50ms")[0].split()
    assert first[1:] == ["s", "led", "on"]
    assert 0.02 <= float(first[0]) < 10, "not since the machine was switched on"


def test_values_are_logical_and_a_duty_that_stays_is_printed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "sweep.bpf.s"
    source.write_text(SERVO_AND_RELAY)
    assert outputs(capsys, source, "--for", "2.5s") == [
        "    1.000 s  servo  2000 of 20000 us",
        "    1.000 s  relay  on",
        "    2.000 s  relay  off",
        "    2.500 s  servo  off",
    ]


@pytest.mark.llvm
def test_a_reader_that_goes_away_ends_the_run_and_blames_no_program(tmp_path: Path) -> None:
    source = tmp_path / "blink.bpf.s"
    source.write_text(BLINK)
    command = [
        sys.executable,
        "-m",
        "axiom_hw",
        "run",
        str(source),
        "--mock",
        "--board",
        "rpi5-bench",
        "--for",
        "9000s",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "    0.500 s  led    on\n"
        process.stdout.close()
        process.wait(timeout=20)
        assert process.stderr.read() == "blink on timer/500ms: at most 6 instructions a run\n"


def test_virtual_time_ends_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A timer on a clock that nothing slows down would print for ever."""
    source = tmp_path / "blink.bpf.s"
    source.write_text(BLINK)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(source), "--mock", "--board", "rpi5-bench"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert len(out.splitlines()) == 20
    assert err.endswith("10s of virtual time; --for TIME sets another end\n")
