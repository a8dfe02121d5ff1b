"""Lines of a real kernel: who holds one is named, a chip that goes away is told, PWM is the kernel's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import gpiod
import pytest
from gpiod.line import Direction

from axiom_hw.backends.gpio import LineInput
from axiom_hw.backends.gpiod_gpio import GpiodBackend
from axiom_hw.backends.survey import survey
from axiom_hw.board import EdgeDetection, load_board, parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.errors import AxiomError, BackendError, OutputError
from tests.backends.rigs import SimWorld
from tests.programs import COUNT, ready
from tests.twin.inside.bench import child, opened, real_runtime, until

GPIO_SIM = Path("/sys/kernel/config/gpio-sim")
BENCH = load_board("rpi5-bench")


def hold(line: int, consumer: str, ready_fd: int) -> None:
    with gpiod.request_lines(
        "/dev/gpiochip0", consumer=consumer, config={line: gpiod.LineSettings(direction=Direction.INPUT)}
    ):
        os.write(ready_fd, b"x")
        signal.pause()


def test_a_line_that_another_process_holds_is_told_with_its_name() -> None:
    ours, theirs = os.pipe()
    with child(lambda: hold(17, "gpiomon", theirs)) as pid:
        os.read(ours, 1)
        with pytest.raises(BackendError) as caught, real_runtime(BENCH):
            pass
        assert (caught.value.place, caught.value.problem) == ("line 17 of pinctrl-rp1", 'is in use by "gpiomon"')
        assert caught.value.fix.startswith("end that program, or give this one another line")
        machine = survey()
        (chip,) = machine.gpio
        assert chip.info is not None
        assert chip.info.used == {17: "gpiomon"}
        assert [holder.pid for holder in machine.holders] == [pid]


@pytest.fixture
def expander() -> Iterator[Path]:
    """A second chip, which can go away without the header's."""
    device = GPIO_SIM / "expander"
    bank = device / "bank0"
    bank.mkdir(parents=True)
    (bank / "num_lines").write_text("8")
    (bank / "label").write_text("expander")
    (device / "live").write_text("1")
    until(lambda: Path("/dev", (bank / "chip_name").read_text().strip()).exists(), 10)
    yield device
    if (device / "live").read_text().strip() == "1":
        (device / "live").write_text("0")
    bank.rmdir()
    device.rmdir()


EXPANDER = parse_board(
    """
    [chip.expander]
    label = "expander"
    lines = 8
    [input.wheel]
    line = 3
    [output.lamp]
    line = 5
    safe = "low"
    """,
    "expander", "tests/twin/inside/test_lines.py",
)  # fmt: skip


@pytest.mark.parametrize("engine", [Engine.LLVM, Engine.INTERP], ids=["native pump", "python"])
def test_a_chip_that_goes_away_ends_the_events_with_a_sentence(expander: Path, engine: Engine) -> None:
    errors: list[AxiomError] = []
    program = ready(COUNT.replace("{section}", "gpio/wheel").replace("{name}", "count"), "gpio/wheel")
    runtime = opened(EXPANDER, engine, errors)
    try:
        runtime.attach(program.verified, program.maps, "gpio/wheel")
        runtime.loader.settle()
        runtime.start()
        (expander / "live").write_text("0")
        until(lambda: bool(errors), 20)
    finally:
        with pytest.raises(OutputError, match="lamp"):  # nobody knows where it is now
            runtime.close()
    (error,) = errors
    assert "3 of expander" in str(error)
    assert "was the chip unplugged, or its driver removed?" in str(error)


def test_a_request_on_a_chip_that_went_away_says_so(expander: Path) -> None:
    chip = GpiodBackend().open("expander")
    request = chip.request_inputs([LineInput(3, EdgeDetection.BOTH)], "contract")
    chip.close()
    (expander / "live").write_text("0")
    for refused in (lambda: request.get(3), request.read_events):
        with pytest.raises(BackendError, match="No such device") as caught:
            refused()
        assert "was the chip unplugged" in caught.value.fix
    request.release()
    with pytest.raises(BackendError, match="isn't there; the chips here are pinctrl-rp1"):
        GpiodBackend().open("expander")


def test_pwm_reaches_the_kernel_s_own_listing(lines: SimWorld) -> None:
    with real_runtime(BENCH) as runtime:
        assert {name for name, _ in runtime.missing} == set()
        assert runtime.guard is not None
        assert runtime.guard.write("servo", 1_500_000, "test") == 0
        listed = Path("/sys/kernel/debug/pwm").read_text()
        assert "requested enabled period: 20000000 ns duty: 1500000 ns" in listed
    assert "enabled" not in Path("/sys/kernel/debug/pwm").read_text(), "safe is off"


def test_a_guard_s_outputs_are_on_the_wires(lines: SimWorld) -> None:
    with real_runtime(BENCH) as runtime:
        assert (lines.level(18), lines.level(27)) == (0, 1), "safe"
        assert runtime.guard is not None
        assert runtime.guard.write("led", 1, "test") == 0
        assert lines.level(18) == 1
        assert runtime.guard.write("relay", 1, "test") == 0
        assert lines.level(27) == 0, "active low"
