"""Native code does what the interpreter does in calls: frames, rings, wake-ups, and helpers that raise."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from functools import partial

import pytest

from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType
from axiom_hw.errors import SpecError
from tests.bpf.engine.llvm.twins import proved, same
from tests.bpf.engine.rigs import ScriptedEnv

SEEN = MapSpec("seen", MapType.HASH, 4, 16, 4)
BEATS = MapSpec("beats", MapType.RINGBUF, 0, 0, 4096)
PULSES = MapSpec("pulses", MapType.RINGBUF, 0, 0, 4096)
CTX = CtxSpec(16)
WORDS = [struct.pack("<QQ", a, b) for a, b in ((0, 0), (1, 2), (2, 3), (5, 1 << 63), ((1 << 64) - 1, 7))]
M64 = (1 << 64) - 1


CALLS = """
r6 = r1
r7 = 3
*(u64 *)(r10 - 8) = 5
*(u64 *)(r10 - 16) = 6
r1 = *(u64 *)(r1 + 0)
r2 = r10
r2 += -16
r3 = 9
call pc+{first}
r1 = *(u64 *)(r6 + 8)
r0 += r1
r1 = *(u64 *)(r10 - 16)
r0 += r1
r0 += r7
exit
"""


def test_functions_keep_the_registers_and_the_frame_of_their_callers() -> None:
    text = CALLS.format(first=6) + "r6 = 100\nr7 = 200\n*(u64 *)(r10 - 8) = r1\nr0 = *(u64 *)(r10 - 8)\nr0 += r3\nexit"
    assert same(text, ctx=CTX, inputs=WORDS).results[1] == 1 + 9 + 2 + 6 + 3


def test_a_function_reaches_into_the_frame_of_its_caller() -> None:
    text = CALLS.format(first=6) + (
        "r0 = *(u64 *)(r2 + 8)\n*(u64 *)(r10 - 8) = 1\n*(u64 *)(r2 + 0) = r1\nlock *(u64 *)(r2 + 0) += r0\n"
        "r1 = *(u64 *)(r10 - 8)\nr0 += r1\nexit"
    )
    same(text, ctx=CTX, inputs=WORDS)


def test_a_key_lies_in_the_frame_of_a_caller_of_the_caller() -> None:
    text = CALLS.format(first=6) + (
        "r1 = r2\ncall pc+1\nexit\n"
        "r2 = r1\n*(u64 *)(r10 - 8) = 1\n*(u64 *)(r10 - 16) = 1\nr3 = r10\nr3 += -16\nr1 = map[seen] ll\nr4 = 0\n"
        "call map_update_elem\nexit"
    )
    same(text, SEEN, ctx=CTX, inputs=WORDS)


def test_a_helper_that_raises_in_a_function_ends_the_program() -> None:
    text = CALLS.format(first=6) + "r1 = 1\nr2 = 2\ncall gpio_set\nr0 = 0\nexit"
    assert "no such line" in str(same(text, ctx=CTX, inputs=WORDS, hardware={1003: raising}).results[0])


def raising(*arguments: int) -> int:
    raise SpecError("gpio", "no such line")


# Rings, and leaving early


RECORD = "r1 = map[beats] ll\nr2 = 16\nr3 = 0\ncall ringbuf_reserve\nif r0 == 0 goto full\nr6 = r0\n"
SECOND = "r1 = map[pulses] ll\nr2 = 8\nr3 = 0\ncall ringbuf_reserve\nr7 = r0\n"
FILL = "*(u64 *)(r6 + 0) = 7\n*(u64 *)(r6 + 8) = 8\n"
END = "r1 = r6\nr2 = {flags}\ncall ringbuf_submit\nr0 = 1\nfull:\nexit"


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("verb", ["submit", "discard"])
def test_who_is_woken(flags: int, verb: str) -> None:
    seen = same(RECORD + FILL + END.format(flags=flags).replace("submit", verb), BEATS)
    assert seen.woken == (flags & 3 != 1)


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, -1])
def test_output_with_flags_known_or_not(flags: int) -> None:
    text = "r2 = r1\nr1 = map[beats] ll\nr3 = 16\nr4 = {flags}\ncall ringbuf_output\nexit"
    same(text.format(flags=flags), BEATS, ctx=CTX, inputs=WORDS)
    text = "r4 = *(u64 *)(r1 + 0)\nr2 = r1\nr1 = map[beats] ll\nr3 = 16\ncall ringbuf_output\nexit"
    same(text, BEATS, ctx=CTX, inputs=[struct.pack("<QQ", flags & M64, 1)])


def test_output_of_nothing() -> None:
    assert same("r1 = map[beats] ll\nr2 = 0\nr3 = 0\nr4 = 0\ncall ringbuf_output\nexit", BEATS).woken == 1


def test_records_of_one_of_two_rings() -> None:
    text = (
        "r8 = *(u64 *)(r1 + 0)\nr1 = map[beats] ll\nif r8 == 0 goto go\nr1 = map[pulses] ll\ngo:\nr2 = 16\nr3 = 0\n"
        f"call ringbuf_reserve\nif r0 == 0 goto full\nr6 = r0\n{FILL}{END.format(flags=0)}"
    )
    same(text, BEATS, PULSES, ctx=CTX, inputs=WORDS)


def test_a_full_ring_fills_no_further() -> None:
    text = "r2 = r1\nr1 = map[beats] ll\nr3 = 16\nr4 = 0\ncall ringbuf_output\nexit"
    seen = same(text, replace(BEATS, max_entries=64), ctx=CTX, inputs=WORDS)
    assert seen.results[0] == 0
    assert seen.results[-1] == -errno.EAGAIN & M64


@pytest.mark.parametrize("helper", ["gpio_set", "ktime_get_ns", "trace_printk", "get_prandom_u32"])
def test_a_helper_that_raises_leaves_no_record_behind(helper: str) -> None:
    call = {"gpio_set": "r1 = 1\nr2 = 1\n", "trace_printk": "*(u64 *)(r10 - 8) = 0x78\nr1 = r10\nr1 += -8\nr2 = 2\n"}
    text = RECORD + FILL + SECOND + f"{call.get(helper, '')}call {helper}\nif r7 == 0 goto skip\n"
    text += "r1 = r7\nr2 = 0\ncall ringbuf_discard\nskip:\n" + END.format(flags=0)
    program = proved(text, BEATS, PULSES)
    seen = []
    for engine in (Interpreter, Native, partial(Native, quick=True)):
        maps = [create_map(spec) for spec in program.spec.maps]
        env = Broken(hardware={1003: raising})
        loaded = engine(program, maps, env)
        for _ in range(3):
            with pytest.raises(SpecError, match="no such line"):
                loaded.run(b"")
        seen.append([bytes(live.mem.u8) for live in maps])
    assert seen[0] == seen[1] == seen[2]


class Broken(ScriptedEnv):
    """Nothing works."""

    def now_ns(self) -> int:
        return raising()

    def random_u32(self) -> int:
        return raising()

    def trace(self, text: str) -> None:
        raising()


def test_a_consumer_that_fails_to_wake_up_ends_the_program() -> None:
    other = f"{SECOND}if r0 == 0 goto only\n*(u64 *)(r7 + 0) = 1\nr1 = r7\nr2 = 0\ncall ringbuf_submit\nonly:\n"
    program = proved(f"{RECORD}{other}{FILL}{END.format(flags=0)}", BEATS, PULSES)
    seen = []
    for engine in (Interpreter, Native, partial(Native, quick=True)):
        maps = [create_map(spec) for spec in program.spec.maps]
        maps[1].on_submit = raising  # type: ignore[union-attr]
        loaded = engine(program, maps, ScriptedEnv())
        with pytest.raises(SpecError, match="no such line"):
            loaded.run(b"")
        seen.append([bytes(live.mem.u8) for live in maps])
    assert seen[0] == seen[1] == seen[2]
