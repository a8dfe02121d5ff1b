"""Maps, structs, arrays, rings, helpers and print in programs written in Python: on both engines, by what they do."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import pytest

from axiom_hw.bpf.layout import array_of, layout, s16, s32, u8, u16, u32, u64, zeros
from tests.bpf.engines import CODES
from tests.bpf.frontend.library import array, hashed, ring, run

pytestmark = [pytest.mark.llvm, pytest.mark.parametrize("engine", CODES)]


class Mode(IntEnum):
    """Names of numbers."""

    SLOW = 3
    FAST = 7


@layout(frozen=True)
class Event:
    """A context."""

    time_ns: u64
    line: u32
    value: u32


@layout
class Key:
    """A key with padding, which must be zero in each."""

    line: u8
    value: u32


@layout
class Seen:
    """What is kept of a line."""

    last_ns: u64
    count: u32
    small: u16


@layout
class Window:
    """A struct with arrays."""

    total: u64
    samples: Annotated[list[int], array_of(u16, 5)]
    last: s32 = 7


@layout
class Large:
    """More than LLVM would clear with single stores."""

    raw: array_of(u8, 2003)
    head: u8
    words: array_of(u16, 250)


TABLE = (5, -3, 100, 7)
LED = "led"
totals = array("totals", u64, 8)
bytes_ = array("bytes", u8, 2)
stats = array("stats", Seen, 2)
counts = hashed("counts", u64)
small = hashed("small", u8)
seen = hashed("seen", Seen, Key)
kept_windows = hashed("kept_windows", Window)
windows = ring("windows", Window)
numbers = ring("numbers", u32)
narrow = ring("narrow", Window, 64)
traces = ring("traces", Large, 8192)
tiny = ring("tiny", Large, 2048)
larges = array("larges", Large)


@pytest.fixture(autouse=True)
def empty_maps() -> Iterator[None]:
    yield
    for one in (counts, small, seen):
        one.clear()
    for one in (totals, bytes_):
        for index in one:
            one[index] = 0
    for index in stats:
        stats[index] = Seen(0, 0, 0)
    for reader in (windows, numbers, narrow):
        reader.consume()


def event(line: int = 2, value: int = 1, time_ns: int = 10) -> Any:
    return Event(time_ns, line, value)


# arrays as maps


def constant_and_variable_indexes(ctx: Event) -> int:
    i = ctx.line
    if i < len(totals):
        totals[i] += 2
        totals[-1] = 9
        totals[0] = totals[i] * 10
    bytes_[1] -= ctx.value
    return totals[0] + totals[-1]


def a_hundred_accesses() -> str:
    """Each takes memory for its key, and a stack has 512 bytes: so they must share it."""
    lines = ["def many(ctx: Event) -> int:", "    x = ctx.line"]
    for i in range(50):
        lines += [f"    if totals[{i % 8}] % 3 == x % 3:", f"        counts[{i % 4}] += {i}", "    else:"]
        lines += [f"        totals[{i % 8}] += {i}", f"        seen[Key({i % 4}, x)] = Seen(x, {i}, 0)"]
    return "\n".join([*lines, "    return totals[7]", ""])


def test_many_accesses_share_the_stack(engine: str, tmp_path: Path) -> None:
    file = tmp_path / "many.py"
    file.write_text(a_hundred_accesses())
    names = dict(globals())
    exec(compile(file.read_text(), str(file), "exec"), names)
    expected = names["many"](event(1))  # as plain Python
    sums = (list(totals.values()), dict(counts), dict(seen))
    for index in totals:
        totals[index] = 0
    counts.clear()
    seen.clear()
    assert run(engine, names["many"], event(1)) == [expected]
    assert (list(totals.values()), dict(counts), dict(seen)) == sums


def test_an_array_by_index(engine: str) -> None:
    assert run(engine, constant_and_variable_indexes, event(3), event(3), event(8)) == [29, 49, 49]
    assert list(totals.values()) == [40, 0, 0, 4, 0, 0, 0, 9]
    assert list(bytes_.values()) == [0, 253]


def asking_an_array(ctx: Event) -> int:
    i = ctx.line - 3
    found = totals.get(i)
    if found is None:
        return -1 if i not in totals else -2
    last = stats.get(i)
    if last is not None:
        last.count += 1
    return found + totals.get(i + 7, 50)


def test_an_array_that_is_asked_needs_no_proof(engine: str) -> None:
    totals[0], totals[7] = 4, 600
    assert run(engine, asking_an_array, event(2), event(3), event(4), event(11)) == [-1, 604, 50, -1]
    assert [one.count for one in stats.values()] == [1, 1]


def structs_of_an_array(ctx: Event) -> int:
    stats[1].count += 1
    here = stats[1]
    here.small += 70000  # wraps at 16 bits
    stats[0] = Seen(last_ns=ctx.time_ns, count=here.count, small=Mode.FAST)
    return here.count * 100000 + here.small


def test_an_array_of_structs(engine: str) -> None:
    assert run(engine, structs_of_an_array, event(), event()) == [100000 + 70000 % 65536, 200000 + 140000 % 65536]
    assert list(stats.values()) == [Seen(10, 2, 7), Seen(0, 2, 140000 % 65536)]


# hashes


def counting(ctx: Event) -> int:
    counts[ctx.line] += 5
    counts[ctx.line] |= 8
    small[1] += 255
    small[1] += 3
    counts[100] *= 2  # makes it
    return counts[ctx.line] + counts[77] + small[1] * 1000


def test_a_hash_of_numbers_counts_like_a_counter(engine: str) -> None:
    assert run(engine, counting, event(), event()) == [13 + 2000, (18 | 8) + 4000]
    assert dict(counts) == {2: 26, 100: 0}
    assert dict(small) == {1: 4}


def asking(ctx: Event) -> int:
    found = counts.get(ctx.line)
    if found is None:
        counts[ctx.line] = 40
        return -1
    if ctx.line not in counts or 99 in counts:
        return -2
    del counts[ctx.line]
    del counts[ctx.line]
    again = counts.get(ctx.line)
    if again:
        return -3
    return found + counts.get(ctx.line, 7) + (1000 if ctx.line in counts else 0)


def test_asking_setting_and_forgetting(engine: str) -> None:
    assert run(engine, asking, event(), event(), event()) == [-1, 47, -1]


def filling(ctx: Event) -> int:
    fitted = 0
    for i in range(6):
        if counts.set(i, i * i):
            fitted += 1
    counts[77] = 1
    counts[78] += 1
    return fitted


def test_a_full_hash_tells_and_counts(engine: str) -> None:
    refused = counts.refused
    assert run(engine, filling, event()) == [4]
    assert dict(counts) == {0: 0, 1: 1, 2: 4, 3: 9}
    assert counts.refused - refused == 4


def remembering(ctx: Event) -> int:
    key = Key(line=ctx.line, value=ctx.value)
    last = seen.get(key)
    if last is None:
        seen[key] = Seen(ctx.time_ns, 1, small=2)
        return seen.set(Key(9, 9), Seen(1, 2, 3))
    elapsed = ctx.time_ns - last.last_ns
    last.last_ns = ctx.time_ns
    last.count += 1
    return elapsed * 100 + last.count


def test_structs_as_keys_and_values(engine: str) -> None:
    assert run(engine, remembering, event(), event(time_ns=15), event(time_ns=21)) == [1, 502, 603]
    assert dict(seen) == {Key(2, 1): Seen(21, 3, 2), Key(9, 9): Seen(1, 2, 3)}


# structs and arrays of their own


def bump(window: Window, by: int) -> None:
    window.total += by
    window.samples[1] += by


def last_of(window: Window | None) -> int:
    if window is None:
        return -1
    return window.last


def mean(samples: array_of(s32, 4)) -> s32:  # type: ignore[valid-type]
    total = 0
    for sample in samples:  # type: ignore[attr-defined]
        total += sample
    return total // len(samples)  # type: ignore[arg-type]


def local_structs(ctx: Event) -> int:
    window = Window(1, zeros(u16, 5))
    for i in range(5):
        window.samples[i] = i * i
    window.samples[-1] -= 20  # below zero: wraps
    bump(window, 65530)
    windows.output(window)
    total = 0
    for sample in window.samples:
        total += sample
    window = Window(total=total, samples=zeros(u16, 5), last=window.last - 9)
    total += window.samples[1]
    return total * 10 + last_of(window)


def test_a_local_struct_is_passed_by_reference_and_wraps_at_its_widths(engine: str) -> None:
    total = 0 + 65531 + 4 + 9 + 65532
    assert run(engine, local_structs, event()) == [total * 10 - 2]
    assert windows.consume() == [Window(65531, [0, 65531, 4, 9, 65532], 7)]


def long_one(window: Window, by: int) -> int:
    """Too long to become part of its caller: a subprogram."""
    window.samples[0] += by + 0
    window.total += window.samples[0]
    window.samples[1] += by + 1
    window.total += window.samples[1]
    window.samples[2] += by + 2
    window.total += window.samples[2]
    window.samples[3] += by + 3
    window.total += window.samples[3]
    window.samples[4] += by + 4
    window.total += window.samples[4]
    window.samples[0] += by + 5
    window.total += window.samples[0]
    window.samples[1] += by + 6
    window.total += window.samples[1]
    window.samples[2] += by + 7
    window.total += window.samples[2]
    window.samples[3] += by + 8
    window.total += window.samples[3]
    window.samples[4] += by + 9
    window.total += window.samples[4]
    window.samples[0] += by + 10
    window.total += window.samples[0]
    window.samples[1] += by + 11
    window.total += window.samples[1]
    window.samples[2] += by + 12
    window.total += window.samples[2]
    window.samples[3] += by + 13
    window.total += window.samples[3]
    window.samples[4] += by + 14
    window.total += window.samples[4]
    window.samples[0] += by + 15
    window.total += window.samples[0]
    return window.total


def calling_subprograms(ctx: Event) -> int:
    mine = Window(0, zeros(u16, 5))
    first = long_one(mine, ctx.line)
    kept = kept_windows.get(ctx.line)
    if kept is None:
        kept_windows[ctx.line] = mine
        return first
    with windows.reserve(Window) as record:
        if record is not None:
            long_one(record, 1)
    return long_one(kept, 2) * 10 + mine.samples[4]


def test_subprograms_take_structs_of_the_stack_of_maps_and_of_rings(engine: str) -> None:
    kept_windows.clear()

    def expected(window: Window, by: int) -> int:
        long_one(window, by)
        return window.total

    mine, record = Window(0, [0] * 5), Window(0, [0] * 5, 0)
    first = expected(mine, 2)
    kept = Window(mine.total, list(mine.samples))
    second = expected(kept, 2) * 10 + mine.samples[4]
    expected(record, 1)
    assert run(engine, calling_subprograms, event(2), event(2)) == [first, second]
    assert windows.consume() == [record]
    assert kept_windows[2] == kept


def local_arrays(ctx: Event) -> int:
    samples = zeros(s32, 4)
    for i in range(len(samples)):
        samples[i] = TABLE[i] * 2
    at = ctx.line & 3
    samples[at] += 1
    return mean(samples) * 100 + len(TABLE) + TABLE[at]


def test_local_arrays_and_tables(engine: str) -> None:
    assert run(engine, local_arrays, event(2), event(1)) == [219 // 4 * 100 + 104, 219 // 4 * 100 + 1]


def bump_line(by: int) -> int:
    counts[1] += by
    return counts[1]


def in_order(ctx: Event) -> int:
    made = Seen(small=bump_line(1), count=bump_line(10), last_ns=bump_line(100))
    totals[0] = 3
    totals[0] *= set_total(5)
    counts[9] = 7
    counts[9] //= set_nine(2)
    return made.last_ns * 1000000 + made.count * 1000 + made.small + totals[0] * 10**10 + counts[9] * 10**12


def set_total(value: int) -> u64:
    totals[0] = value
    return value


def set_nine(value: int) -> u64:
    counts[9] = 100
    if value < 1:
        return 1
    return value


def test_everything_happens_in_pythons_order(engine: str) -> None:
    assert run(engine, in_order, event()) == [111 * 1000000 + 11 * 1000 + 1 + 15 * 10**10 + 3 * 10**12]


def zeroed_again(ctx: Event) -> int:
    total = 0
    for i in range(3):
        seen_here = zeros(s16, 8)
        seen_here[i] += 1
        for one in seen_here:
            total += one
    return total


def test_an_array_that_is_made_again_is_zero_again(engine: str) -> None:
    assert run(engine, zeroed_again, event()) == [3]


def declared(ctx: Event) -> int:
    window: Window = Window(ctx.line, zeros(u16, 5))
    window.total += 1
    maybe: Seen | None = seen.get(Key(1, 1))
    if maybe is None:
        maybe = Seen(5, 6, 7)
    return window.total * 100 + maybe.count


def test_a_declared_struct_is_a_reference_or_its_own(engine: str) -> None:
    assert run(engine, declared, event(3)) == [406]
    seen[Key(1, 1)] = Seen(1, 2, 3)
    assert run(engine, declared, event(3)) == [402]


# rings
