"""The mock bench: hands that press, a meter that reads, and scenarios in virtual time."""

from __future__ import annotations

import pytest

from axiom_hw.backends.pwm import PwmState
from axiom_hw.bench import MockBench
from axiom_hw.board import load_board
from axiom_hw.clock import MS, MonotonicClock
from axiom_hw.errors import BoardError, ClockError
from tests.programs import COUNT, ready


@pytest.fixture
def bench() -> MockBench:
    return MockBench(load_board("rpi5-bench"))


def test_a_pull_up_holds_a_button_released_and_pressed_is_1(bench: MockBench) -> None:
    with bench.runtime():
        assert bench.value("button") == 0
        bench.press("button")
        assert bench.value("button") == 1
        assert bench.gpio.open("pinctrl-rp1").level(17) == 0  # on the wire, a pressed button pulls down
        bench.release("button")
        assert bench.value("button") == 0


def test_settle_lets_bounces_and_debounce_pass_and_no_more(bench: MockBench) -> None:
    with bench.runtime() as runtime:
        counter = ready(COUNT, "gpio/button/rising")
        runtime.attach(counter.verified, counter.maps, "gpio/button/rising")
        bench.press("button", bounces=3)
        bench.settle()
        assert counter.numbers()[0] == 1
        assert bench.clock.now_ns() == 6 * 400_000 + 5 * MS  # six changes of a worn contact, then the debounce
        bench.settle()
        assert bench.clock.now_ns() == 6 * 400_000 + 5 * MS


def test_a_scenario_counts_each_step_from_the_one_before(bench: MockBench) -> None:
    with bench.runtime():
        levels: list[tuple[int, int, int]] = []
        bench.gpio.open("pinctrl-rp1").watch(lambda *change: levels.append(change))
        bench.after("100ms").press("limit")
        bench.after("50ms").release("limit")
        bench.after(1_000).press("button", bounces=1)
        bench.advance("1s")
        assert levels == [
            (100_000_000, 22, 0),
            (150_000_000, 22, 1),
            (150_001_000, 17, 0),
            (150_401_000, 17, 1),
            (150_801_000, 17, 0),
        ]


def test_a_scenario_that_begins_later_counts_from_then(bench: MockBench) -> None:
    with bench.runtime():
        bench.advance("1s")
        bench.after("10ms").press("button")
        bench.advance("9ms")
        assert bench.value("button") == 0
        bench.advance("1ms")
        assert bench.value("button") == 1


def test_pwm_state_is_what_a_scope_shows(bench: MockBench) -> None:
    with bench.runtime() as runtime:
        assert runtime.guard is not None
        assert bench.pwm_state("servo") == PwmState(20 * MS, 0, enabled=False)
        runtime.guard.write_pwm(0, 0, 10, "test")
        assert bench.pwm_state("servo") == PwmState(20 * MS, 2 * MS, enabled=True)
    assert bench.pwm_state("servo") == PwmState(20 * MS, 0, enabled=False)


def test_misspelt_and_mistaken_names_are_told_at_once(bench: MockBench) -> None:
    told = {}
    for call in (
        lambda: bench.press("buton"),
        lambda: bench.press("led"),
        lambda: bench.after("1s").release("buton"),
        lambda: bench.value("lde"),
        lambda: bench.value("servo"),
        lambda: bench.pwm_state("led"),
    ):
        with pytest.raises(BoardError) as refused:
            call()
        told[str(refused.value)] = None
    assert list(told) == [
        "boards/rpi5-bench.toml: has no input `buton`; it has button, limit\n    fix    did you mean `button`?",
        "boards/rpi5-bench.toml: `led` is an output; edges come from inputs: button, limit",
        "boards/rpi5-bench.toml: has no line `lde`; it has button, limit, led, relay\n    fix    did you mean `led`?",
        "boards/rpi5-bench.toml: `servo` is a PWM channel, which has no value; button, limit, led, relay have one",
        "boards/rpi5-bench.toml: `led` is a GPIO line, not a PWM channel\n    fix    ask for value()",
    ]


def test_a_duration_is_written_with_its_unit(bench: MockBench) -> None:
    with pytest.raises(ClockError) as refused:
        bench.advance("10")
    assert str(refused.value) == (
        "duration: '10' is no duration; write a number and one of ns, us, ms, s, min, h, such as \"5ms\""
    )


def test_nobody_pushes_a_real_clock() -> None:
    bench = MockBench(load_board("rpi5-bench"), MonotonicClock())
    with pytest.raises(ClockError) as refused:
        bench.advance("10ms")
    assert str(refused.value) == "advance: this bench runs on a real clock, which passes by itself"
