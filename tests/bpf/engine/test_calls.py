"""The helpers, as programs see them."""

from __future__ import annotations

import errno

import pytest

from axiom_hw.bpf.engine.calls import FIRST_HARDWARE, IMPLEMENTED
from axiom_hw.bpf.helpers import TABLE
from axiom_hw.bpf.maps import RingBuf
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.errors import Fault, SpecError
from tests.bpf.engine.rigs import Rig, ScriptedEnv, load

COUNTS = MapSpec("counts", MapType.ARRAY, 4, 8, 4)
SEEN = MapSpec("seen", MapType.HASH, 4, 8, 4)
LIMITS = MapSpec("limits", MapType.ARRAY, 4, 8, 1, frozen=True, data=bytes((9, 0, 0, 0, 0, 0, 0, 0)))
BEATS = MapSpec("beats", MapType.RINGBUF, 0, 0, 4096)

KEY = "*(u32 *)(r10 - 4) = {key}\nr2 = r10\nr2 += -4\n"
RESERVE = "r1 = map[beats] ll\nr2 = {size}\nr3 = 0\ncall ringbuf_reserve\nif r0 == 0 goto out\nr6 = r0\n"


def minus(number: int) -> int:
    return (1 << 64) - number


def ring_of(rig: Rig) -> RingBuf:
    ring = rig.maps[0]
    assert isinstance(ring, RingBuf)
    return ring


def fault_of(rig: Rig) -> Fault:
    with pytest.raises(Fault) as caught:
        rig.run()
    return caught.value


def test_every_row_is_implemented_or_the_hardwares() -> None:
    assert set(IMPLEMENTED) == {row.id for row in TABLE if row.id < FIRST_HARDWARE}


def test_lookup_gives_a_value_that_can_be_changed() -> None:
    text = "r1 = map[counts] ll\n" + KEY.format(key=3) + (
        "call map_lookup_elem\nif r0 == 0 goto +3\nr1 = *(u64 *)(r0 + 0)\nr1 += 1\n*(u64 *)(r0 + 0) = r1\n"
        "r0 = *(u64 *)(r0 + 0)\nexit"
    )  # fmt: skip
    rig = load(text, COUNTS)
    assert [rig.run() for _ in range(3)] == [1, 2, 3]
    assert dict(rig.maps[0].entries())[bytes((3, 0, 0, 0))] == bytes((3, 0, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("spec", [COUNTS, SEEN], ids=lambda s: s.name)
def test_lookup_of_an_absent_key_is_null(spec: MapSpec) -> None:
    assert load("r1 = map[0] ll\n" + KEY.format(key=4) + "call map_lookup_elem\nexit", spec).run() == 0


def test_update_lookup_delete_in_a_hash() -> None:
    def program(*calls: str) -> str:
        value = "*(u64 *)(r10 - 16) = 77\nr3 = r10\nr3 += -16\nr4 = {flags}\n"
        parts = []
        for call in calls:
            name, _, flags = call.partition(" ")
            parts += [
                "r1 = map[seen] ll\n",
                KEY.format(key=5),
                value.format(flags=flags or 0),
                f"call map_{name}_elem\n",
            ]
        return "".join(parts)

    assert load(program("update") + "exit", SEEN).run() == 0
    assert load(program("update", "lookup") + "r0 = *(u64 *)(r0 + 0)\nexit", SEEN).run() == 77
    assert load(program("update", "update 1") + "exit", SEEN).run() == minus(errno.EEXIST)
    assert load(program("update 2") + "exit", SEEN).run() == minus(errno.ENOENT)
    assert load(program("update", "delete", "lookup") + "exit", SEEN).run() == 0
    assert load(program("delete") + "exit", SEEN).run() == minus(errno.ENOENT)


def test_a_frozen_map_is_read_not_written() -> None:
    read = "r1 = map[limits][0]+0 ll\nr0 = *(u64 *)(r1 + 0)\nexit"
    assert load(read, LIMITS).run() == 9
    write = load("r1 = map[limits][0]+0 ll\n*(u64 *)(r1 + 0) = 1\nexit", LIMITS)
    assert fault_of(write).problem.endswith("limits is read-only")
    update = "r1 = map[limits] ll\n" + KEY.format(key=0) + "r3 = r1\nr3 = r10\nr3 += -16\nr4 = 0\n"
    assert load(update + "call map_update_elem\nexit", LIMITS).run() == minus(errno.EPERM)


def test_time_randomness_slot_and_trace_come_from_outside() -> None:
    env = ScriptedEnv(now=(1 << 63) + 5)
    assert load("call ktime_get_ns\nexit", env=env).run() == (1 << 63) + 5
    assert load("call get_prandom_u32\nexit", env=env).run() == 1
    assert load("call get_smp_processor_id\nexit", env=env, slots=3).run(slot=2) == 2
    text = "r1 = 0x0a64253d6e ll\n*(u64 *)(r10 - 8) = r1\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = -3\ncall trace_printk\nexit"
    assert load(text, env=env).run() == 5
    assert env.traced == ["n=-3\n"]


def test_printk_without_a_format_or_with_a_bad_one() -> None:
    assert load("r1 = r10\nr2 = 0\ncall trace_printk\nexit").run() == minus(errno.EINVAL)
    text = "*(u64 *)(r10 - 8) = 0x7325\nr1 = r10\nr1 += -8\nr2 = 8\ncall trace_printk\nexit"
    assert load(text).run() == minus(errno.EINVAL)
    assert fault_of(load("r1 = r10\nr2 = 1\ncall trace_printk\nexit")).region == "the stack"


def test_output_and_query() -> None:
    text = (
        "*(u64 *)(r10 - 8) = 0x1122\nr1 = map[beats] ll\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall ringbuf_output\n"
        "if r0 != 0 goto +4\nr1 = map[beats] ll\nr2 = 0\ncall ringbuf_query\nexit"
    )
    rig = load(text, BEATS)
    assert rig.run() == 16
    assert ring_of(rig).consume() == bytes((0x22, 0x11, 0, 0, 0, 0, 0, 0))
    assert load("r1 = map[beats] ll\nr2 = 0\nr3 = 0\nr4 = 0\ncall ringbuf_output\nexit", BEATS).run() == 0
    huge = load("r1 = map[beats] ll\nr2 = r10\nr3 = -1\nr4 = 0\ncall ringbuf_output\nexit", BEATS)
    assert fault_of(huge).region == "the stack"


def test_reserve_write_submit() -> None:
    rig = load(RESERVE.format(size=12) + "*(u64 *)(r6 + 0) = 7\n*(u32 *)(r6 + 8) = 8\nr1 = r6\nr2 = 0\n"
               "call ringbuf_submit\nout:\nexit", BEATS)  # fmt: skip
    assert rig.run() == 0
    assert ring_of(rig).consume() == bytes((7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0))


def test_a_record_has_its_size_and_not_a_byte_more() -> None:
    fault = fault_of(load(RESERVE.format(size=12) + "*(u32 *)(r6 + 12) = 8\nout:\nexit", BEATS))
    assert fault.problem.endswith("offset 12 of a record of beats, which has 12 bytes")
    assert fault_of(load(RESERVE.format(size=0) + "*(u8 *)(r6 + 0) = 8\nout:\nexit", BEATS)).region


@pytest.mark.parametrize("verb", ["submit", "discard"])
def test_a_released_record_is_gone(verb: str) -> None:
    release = f"r1 = r6\nr2 = 0\ncall ringbuf_{verb}\n"
    fault = fault_of(load(RESERVE.format(size=8) + release + "r0 = *(u8 *)(r6 + 0)\nout:\nexit", BEATS))
    assert fault.problem.endswith("a record of beats is gone")
    fault = fault_of(load(RESERVE.format(size=8) + release + release + "out:\nexit", BEATS))
    assert f"ringbuf_{verb} expects a live record in r1" in fault.problem
    fault = fault_of(load(RESERVE.format(size=8) + "r6 += 1\n" + release + "out:\nexit", BEATS))
    assert f"ringbuf_{verb} expects a live record in r1" in fault.problem


@pytest.mark.parametrize("rest", ["exit", "r0 = *(u8 *)(r10 + 0)\nexit"])
def test_a_record_that_was_left_open_blocks_nobody(rest: str) -> None:
    rig = load("if r2 == 8 goto +0\n" + RESERVE.format(size=8) + f"out:\n{rest}", BEATS)
    if rest == "exit":
        rig.run()
    else:
        fault_of(rig)
    ring = ring_of(rig)
    assert ring.consume() is None
    assert ring.query(0) == 0


def test_a_full_ring_gives_null_and_counts() -> None:
    rig = load(RESERVE.format(size=5000) + "out:\nexit", BEATS)
    assert rig.run() == 0
    assert ring_of(rig).dropped == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("r1 = 0\ncall map_lookup_elem", "map_lookup_elem expects a map of type HASH or ARRAY in r1, which holds 0x0"),
        ("r1 = map[beats] ll\ncall map_lookup_elem", "map_lookup_elem expects a map of type HASH or ARRAY in r1"),
        ("r1 = map[counts] ll\ncall ringbuf_query", "ringbuf_query expects a map of type RINGBUF in r1"),
        ("r1 = map[counts] ll\nr1 += 1\ncall map_lookup_elem", "map_lookup_elem expects a map"),
        ("r1 = map[counts] ll\nr2 = 0\ncall map_lookup_elem", "reads 4 bytes at 0x0: that is NULL"),
        ("r1 = map[counts] ll\nr2 = r10\nr2 += -3\ncall map_lookup_elem", "offset 509 of the stack"),
    ],
)
def test_arguments_that_a_helper_does_not_take(text: str, problem: str) -> None:
    assert problem in fault_of(load(text + "\nexit", BEATS, COUNTS)).problem


def test_hardware_gets_as_many_arguments_as_its_row_has() -> None:
    asked: list[tuple[int, ...]] = []

    def gpio_set(*arguments: int) -> int:
        asked.append(arguments)
        return -errno.ENODEV

    env = ScriptedEnv(hardware={1003: gpio_set})
    assert load("r1 = 18\nr2 = -1\ncall gpio_set\nexit", env=env).run() == minus(errno.ENODEV)
    assert asked == [(18, minus(1))]


def test_hardware_that_is_not_there_is_refused_at_load() -> None:
    with pytest.raises(SpecError, match=r"calls gpio_set \(helper 1003\), which needs a board"):
        load("call gpio_set\nexit")
    with pytest.raises(SpecError, match=r"calls map_push_elem \(helper 87\), which isn't supported yet"):
        load("call 87\nexit")
    with pytest.raises(SpecError, match="offers helper 4242"):
        load("exit", env=ScriptedEnv(hardware={4242: int}))
