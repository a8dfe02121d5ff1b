"""What else programs can use: rings, large structs, helpers, print, names of the module. On both engines."""

from __future__ import annotations

import axiom_hw as hw
from axiom_hw.bpf.layout import u8, u16, zeros
from tests.bpf.frontend.library import Env, run
from tests.bpf.frontend.test_library import (
    LED,
    Event,
    Large,
    Mode,
    Window,
    empty_maps,
    event,
    larges,
    narrow,
    numbers,
    pytestmark,
    traces,
    windows,
)

__all__ = ["empty_maps", "pytestmark"]  # each test has both engines and maps of its own


def reserving(ctx: Event) -> int:
    with windows.reserve(Window) as window:
        if window is None:
            return -1
        window.total = ctx.line
        if ctx.line == 3:
            windows.discard(window)
            return 3
        window.samples[1] = 6
        if ctx.line == 4:
            return 4
    numbers.output(ctx.value + 3)
    return 1


def test_a_block_submits_its_record_on_each_way_out_unless_it_was_discarded(engine: str) -> None:
    assert run(engine, reserving, event(2), event(3), event(4)) == [1, 3, 4]
    assert windows.consume() == [Window(2, [0, 6, 0, 0, 0], 0), Window(4, [0, 6, 0, 0, 0], 0)]
    assert numbers.consume() == [4]


def overflowing(ctx: Event) -> int:
    fitted = 0
    for _i in range(3):
        with narrow.reserve(Window) as window:
            if window is not None:
                window.total = 1
                fitted += 1
    if narrow.output(Window(2, zeros(u16, 5))):
        fitted += 10
    return fitted


def test_a_full_ring_gives_none_and_false(engine: str) -> None:
    dropped = narrow.dropped
    assert run(engine, overflowing, event()) == [1]
    assert narrow.dropped - dropped == 3


def many_bytes(ctx: Event) -> int:
    large = larges[0]
    large.raw[ctx.line % 2003] += 1
    large.words[-1] = 9
    large.words = zeros(u16, 250)
    large.words[ctx.line % 250] = 3
    own = zeros(u8, 301)
    own[ctx.line % 301] = 2
    with traces.reserve(Large) as trace:
        if trace is None:
            return -1
        trace.raw[ctx.line % 2003] = 7
    total = 0
    for i in range(301):
        total += own[i]
    return total


def test_what_is_large_is_cleared_too_and_an_index_may_be_a_remainder(engine: str) -> None:
    traces.consume()
    assert run(engine, many_bytes, event(5), event(1000)) == [2, 2]
    first, second = traces.consume()
    for record, line in ((first, 5), (second, 1000)):
        assert [(i, byte) for i, byte in enumerate(record.raw) if byte] == [(line, 7)]
        assert (record.head, sum(record.words)) == (0, 0)
    kept = larges[0]
    assert (kept.raw[5], kept.raw[1000], sum(kept.raw)) == (1, 1, 2)
    assert [(i, word) for i, word in enumerate(kept.words) if word] == [(0, 3)]
    larges[0] = Large(zeros(u8, 2003), 0, zeros(u16, 250))


# helpers, print, names


def helping(ctx: Event) -> int:
    hw.gpio_set(LED, value=ctx.value)
    hw.gpio_set(21, 0)
    hw.pwm_write("servo", 50)
    if hw.random_u32() != 0xFFFFFFFE or hw.slot() != 0:
        return -1
    if hw.emergency_stop(5) != 5:
        return -2
    return hw.gpio_get("button") + hw.now_ns()


def test_helpers_take_names_and_numbers(engine: str) -> None:
    env = Env()
    assert run(engine, helping, event(), env=env) == [1_000_000_007 + 17]
    assert env.asked == [(1003, 18, 1), (1003, 21, 0), (1005, 0, 2, 50), (1000, 5), (1004, 17)]


def printing(ctx: Event) -> int:
    signed = -ctx.line
    print("100%", f"{ctx.value:04x}|{signed:<5}|{signed:+d} ns {Mode.FAST:3}")
    print(f"{ctx.time_ns} {ctx.value:>4} {LED}")
    print()
    return 0


def test_print_prints_what_python_would(engine: str) -> None:
    env = Env()
    run(engine, printing, event(line=12, value=255, time_ns=2**64 - 1), env=env)
    assert env.lines == ["100% 00ff|-12  |-12 ns   7", f"{2**64 - 1}  255 led", ""]


def names_of_the_module(ctx: Event) -> int:
    factor = 3 if ctx.line > Mode.SLOW else hw.Edge.FALLING
    return factor * Mode.FAST


def test_enums_by_their_names(engine: str) -> None:
    assert run(engine, names_of_the_module, event(2), event(4)) == [14, 21]


def test_closures_are_constants(engine: str) -> None:
    offset, reader = 1000, numbers

    def inner(ctx: Event) -> int:
        reader.output(offset)
        return offset + ctx.line

    assert run(engine, inner, event()) == [1002]
    assert numbers.consume() == [1000]
