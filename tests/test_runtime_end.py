"""The end of a run: outputs become safe and devices are given back, whatever fails on the way, or hangs."""

from __future__ import annotations

import errno
from typing import cast

import pytest

from axiom_hw.adapters.gpio import GpioAdapter
from axiom_hw.adapters.source import Source
from axiom_hw.backends.mock_pwm import MockPwmOutput
from axiom_hw.backends.pwm import PwmState
from axiom_hw.bench import MockBench
from axiom_hw.board import load_board
from axiom_hw.clock import MS, MonotonicClock
from axiom_hw.errors import BackendError, OutputError
from tests.pump_bench import until
from tests.test_runtime import HARDWARE, LIGHT, attach

OFF = PwmState(20 * MS, 0, enabled=False)


@pytest.fixture
def bench() -> MockBench:
    return MockBench(load_board("rpi5-bench"))


def test_the_end_makes_outputs_safe_and_gives_the_lines_back(bench: MockBench) -> None:
    with bench.runtime() as runtime:
        attach(runtime, HARDWARE, "gpio/button/rising")
        bench.press("button")
        bench.settle()
        assert bench.value("led") == 1
        assert bench.gpio.open("pinctrl-rp1").consumer(18) == "axiom_hw"
    assert (bench.value("led"), bench.value("relay"), bench.pwm_state("servo")) == (0, 0, OFF)
    assert [bench.gpio.open("pinctrl-rp1").consumer(line) for line in (17, 18, 22, 27)] == [None] * 4
    runtime.close()  # twice is fine
    with bench.runtime():  # and the next one finds everything free
        assert bench.value("led") == 0


def test_an_exception_on_the_way_changes_nothing_of_that(bench: MockBench) -> None:
    def body() -> None:
        with bench.runtime() as runtime:
            attach(runtime, LIGHT, "timer/1ms")
            bench.advance("1ms")
            assert bench.value("led") == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        body()
    assert bench.value("led") == 0
    assert bench.gpio.open("pinctrl-rp1").consumer(18) is None


def test_an_output_that_cant_be_made_safe_is_named_and_the_rest_is_given_back(
    bench: MockBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = bench.runtime()
    runtime.start()

    def broken(output: MockPwmOutput, state: PwmState) -> None:
        raise BackendError("channel 0", "doesn't answer", errno=errno.EIO)

    monkeypatch.setattr(MockPwmOutput, "apply", broken)
    with pytest.raises(OutputError) as failed:
        runtime.close()
    assert str(failed.value) == (
        "safe state: wasn't reached by servo (EIO)\n    fix    look at these outputs: they may be live"
    )
    assert [bench.gpio.open("pinctrl-rp1").consumer(line) for line in (17, 18, 22, 27)] == [None] * 4


@pytest.mark.parametrize("way", ["stop", "close"])
def test_a_source_that_fails_at_the_end_keeps_no_other_from_it(
    bench: MockBench, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    runtime = bench.runtime()
    runtime.start()
    attach(runtime, LIGHT, "timer/1ms")
    bench.advance("1ms")
    assert bench.value("led") == 1
    ended: list[str] = []

    class Other:
        def stop(self) -> None:
            ended.append("stop")

        def close(self) -> None:
            ended.append("close")

    def broken(source: Source) -> None:
        raise BackendError("sensor", "doesn't answer", errno=errno.EIO)

    assert runtime.gpio is not None
    runtime.sources = (runtime.gpio, cast(Source, Other()))
    monkeypatch.setattr(GpioAdapter, way, broken)
    with pytest.raises(BackendError, match="doesn't answer"):
        runtime.close()
    assert bench.value("led") == 0
    assert ended == ["stop", "close"]


def test_a_device_that_keeps_its_thread_keeps_no_output_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axiom_hw.runtime._PATIENCE_S", 0.01)
    bench = MockBench(load_board("rpi5-bench"), MonotonicClock())
    runtime = bench.runtime()
    runtime.start()
    assert runtime.guard is not None
    assert runtime.guard.set_gpio(18, 1, "test") == 0
    seen: list[tuple[int, int]] = []

    class Stuck:
        def stop(self) -> None:
            until(lambda: bench.value("led") == 0)
            seen.append((runtime.guard.set_gpio(18, 1, "test"), bench.value("led")))  # type: ignore[union-attr]

        def close(self) -> None: ...

    runtime.sources += (cast(Source, Stuck()),)
    runtime.close()
    assert seen == [(-errno.ESHUTDOWN, 0)]
