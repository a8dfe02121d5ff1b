"""Encoders that are turned, ports that are fed, outputs that are watched, and moments of a scenario."""

from __future__ import annotations

from itertools import pairwise

import pytest

from axiom_hw.actuation import Asker
from axiom_hw.bench import MockBench
from axiom_hw.clock import MS, MonotonicClock
from axiom_hw.events import Edge, GpioEvent, SerialEvent, TimerEvent
from axiom_hw.keys import GpioKey, SerialKey
from tests.world.worlds import BOARD, listen, new, refusal

A_B = tuple(GpioKey(0, line, edge) for line in (5, 6) for edge in Edge)


def test_an_encoder_turns_by_edges_in_quadrature_at_its_rate() -> None:
    bench = new()
    with bench.runtime() as runtime:
        seen = listen(runtime, GpioEvent, *A_B)
        bench.turn("encoder", 6, rate=20_000)
        bench.settle()
        assert bench.clock.now_ns() == 300_000
        bench.turn("encoder", -3, rate=1000)
        bench.settle()
    assert [(e.timestamp_ns // 1000, e.line, e.value) for e in seen] == [
        (50, 5, 1), (100, 6, 1), (150, 5, 0), (200, 6, 0), (250, 5, 1), (300, 6, 1),
        (1300, 6, 0), (2300, 5, 0), (3300, 6, 1),
    ]  # fmt: skip


def test_a_scenario_turns_feeds_drives_and_calls_at_its_times() -> None:
    bench, called = new(), []
    with bench.runtime() as runtime:
        lines = listen(runtime, SerialEvent, SerialKey(0))
        bench.after("10ms").feed("gps", "$GPTXT\r\n")
        bench.after("10ms").drive("limit", 1)
        bench.after("10ms").turn("encoder", 2000, rate=1000)
        bench.after("10ms").do(lambda: called.append(bench.clock.now_ns()))
        assert bench.last_step_ns == 2030 * MS, "the turning goes on until then"
        bench.advance("25ms")
        assert [bytes(one.data[: one.length]) for one in lines] == [b"$GPTXT"]
        assert (lines[0].timestamp_ns, bench.value("limit")) == (10 * MS, 1)
        bench.settle()
        assert called == []
        bench.advance("3s")
        assert called == [40 * MS]
        assert bench.edges("encoder_a") + bench.edges("encoder_b") == 2000


def test_what_is_driven_can_be_let_go() -> None:
    bench = new()
    with bench.runtime():
        bench.drive("limit", 1)
        assert bench.value("limit") == 1
        bench.drive("limit", None)
        assert bench.value("limit") == 0, "the pull-up has it"
        assert refusal(lambda: bench.drive("limit", 2)) == (
            "input limit: can't be driven to 2; a value is 0, 1 or None"
        )


def test_the_history_of_outputs_says_what_they_did_and_when() -> None:
    bench, watched = new(), []
    bench.watch("led", lambda time_ns, value: watched.append((time_ns, value)))
    with bench.runtime() as runtime:
        guard = runtime.guard
        assert guard is not None
        for name, value in (("led", 1), ("led", 1), ("heater", 1), ("fan", 250_000), ("led", 0), ("fan", 1000)):
            bench.advance("10ms")
            assert guard.write(name, value, Asker("test")) == 0
        assert bench.unsafe() == ("heater is 1; safe is 0", "fan is 1000 ns; safe is off")
    assert bench.history("led") == [(0, 0), ("10ms", 1), ("50ms", 0)]
    assert watched == [(10 * MS, 1), (50 * MS, 0)]
    assert bench.history("heater") == [(0, 0), ("30ms", 1), ("60ms", 0)]
    assert bench.history("fan") == [(0, "off"), ("40ms", "250us"), ("60ms", "1us"), ("60ms", "off")]
    assert bench.unsafe() == ()


def test_a_history_that_is_another_is_drawn() -> None:
    bench = new()
    with bench.runtime() as runtime:
        assert runtime.guard is not None
        bench.advance("30ms")
        runtime.guard.write("led", 1, Asker("test"))
        found = bench.history("led")
    assert found != [(0, 0)]
    assert list(found) == [(0, 0), (30 * MS, 1)]
    assert repr(found) == '[(0, 0), ("30ms", 1)]'
    assert found.compared([(0, 0), ("15ms", 1)]) == [
        'led differs at change 1: expected ("15ms", 1), was ("30ms", 1)',
        "  expected  " + "_" * 27 + "#" * 33,
        "  was       " + "_" * 54 + "#" * 6,
        "            0" + f"{'33ms':>59}",
        '  expected  [(0, 0), ("15ms", 1)]',
        '  was       [(0, 0), ("30ms", 1)]',
    ]
    assert found.compared([(0, 0), ("30ms", 1)]) == []
    assert "expected none" in found.compared([(0, 0)])[0]
    assert refusal(lambda: found == [(0, 0), "30ms"]) == (
        "led: has no change '30ms'\n    fix    a change is a time and a value: (\"300ms\", 1)"
    )
    assert bench.history("led", since="20ms") == [("20ms", 0), ("30ms", 1), ("30ms", 0)], "safe at its end"


def test_a_stall_lets_the_kernels_buffer_overflow_and_the_loss_is_told() -> None:
    bench = new()
    with bench.runtime() as runtime:
        seen = listen(runtime, GpioEvent, *A_B)
        assert runtime.gpio is not None
        bench.stall("50ms")
        bench.turn("encoder", 500, rate=10_000)
        bench.advance("49ms")
        assert seen == []
        bench.advance("2ms")
        assert len(seen) == runtime.gpio.received == 500 - runtime.gpio.lost
        assert 0 < len(seen) < 500
        assert sum(event.lost for event in seen) == runtime.gpio.lost


def test_a_jump_of_the_clock_is_told_to_timers() -> None:
    bench = new()
    with bench.runtime() as runtime:
        ticks = listen(runtime, TimerEvent, runtime.timers.add(100 * MS))
        bench.advance("250ms")
        bench.jump("1s")
        bench.advance("60ms")
        bench.after("20ms").jump("5s")
        bench.advance("100ms")
        assert bench.clock.now_ns() == 6330 * MS
    assert [(t.timestamp_ns // MS, t.count, t.overruns) for t in ticks] == [
        (100, 1, 0), (200, 2, 0), (1200, 12, 9), (1300, 13, 0), (6300, 63, 49),
    ]  # fmt: skip


def test_what_needs_virtual_time_says_so_in_real_time() -> None:
    bench = MockBench(BOARD, MonotonicClock())
    for call, what in ((lambda: bench.stall("1ms"), "stall"), (lambda: bench.jump("1ms"), "jump")):
        assert refusal(call) == f"{what}: this bench runs on a real clock, which passes by itself"


def test_names_and_numbers_that_dont_fit() -> None:
    bench = new()
    assert refusal(lambda: bench.turn("wheel", 1)) == (
        "world.toml: has no encoder `wheel`; its inputs are encoder_a, encoder_b, button, limit\n"
        "    fix    an encoder is two inputs: [input.wheel_a] and [input.wheel_b]"
    )
    assert "give 1 or more" in refusal(lambda: bench.turn("encoder", 1, rate=0))
    assert "has no port `gsp`; it has gps" in refusal(lambda: bench.after("1s").feed("gsp", b""))
    assert "did you mean `led`?" in refusal(lambda: bench.history("lde"))


@pytest.mark.parametrize("steps", [1, -1])
def test_either_way_each_step_changes_one_input(steps: int) -> None:
    bench = new()
    with bench.runtime():
        states = []
        for _ in range(9):
            states.append((bench.value("encoder_a"), bench.value("encoder_b")))
            bench.turn("encoder", steps)
            bench.settle()
    assert all(sum(x != y for x, y in zip(one, other, strict=True)) == 1 for one, other in pairwise(states))
    assert states[0] == states[4] == states[8]
