"""How Python enters native code: it means what `Interpreter.run` means, whatever it is called with."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest

from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.maps import Mem, RingBuf, create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType
from axiom_hw.errors import SpecError
from tests.bpf.engine.llvm.twins import proved
from tests.bpf.engine.rigs import ScriptedEnv

SUM = "r0 = *(u64 *)(r1 + 0)\nr2 = *(u64 *)(r1 + 8)\nr0 += r2\nexit"
CTX = (5).to_bytes(8, "little") + (1 << 63).to_bytes(8, "little")
SLOT = "call 8\nexit"
COUNTS = MapSpec("counts", MapType.ARRAY, 4, 8, 1)
COUNT = """
    r6 = r1
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = counts ll
    call 1
    if r0 == 0 goto out
    r1 = *(u64 *)(r6 + 0)
    lock *(u64 *)(r0 + 0) += r1
out:
    r0 = 0
    exit
"""
RECORDS = MapSpec("records", MapType.RINGBUF, 0, 0, 4096)
HOLD_AND_ASK = """
    r1 = records ll
    r2 = 8
    r3 = 0
    call 131
    if r0 == 0 goto out
    r6 = r0
    call 7
    *(u64 *)(r6 + 0) = r0
    r1 = r6
    r2 = 0
    call 132
out:
    r0 = 0
    exit
"""


class Boom(Exception):
    """What a helper raises."""


class Broken(ScriptedEnv):
    """Its randomness ends after some numbers."""

    left = 0

    def random_u32(self) -> int:
        if not self.left:
            raise Boom("no more numbers")
        self.left -= 1
        return 4


def native(text: str, *specs: MapSpec, ctx: CtxSpec = CtxSpec(0), slots: int = 4) -> Native:  # noqa: B008 (frozen)
    return Native(proved(text, *specs, ctx=ctx), [create_map(s) for s in specs], ScriptedEnv(), slots=slots)


class TestOneEvent:
    @pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
    def test_any_buffer_of_the_right_size(self, make: Callable[[bytes], bytes]) -> None:
        assert native(SUM, ctx=CtxSpec(16)).run(make(CTX)) == (1 << 63) + 5

    def test_it_is_a_builtin(self) -> None:
        assert type(native(SUM, ctx=CtxSpec(16)).run) is type(len)

    def test_the_slot_is_an_argument_by_place_or_by_name(self) -> None:
        run = native(SLOT).run
        assert [run(), run(b""), run(b"", 3), run(b"", slot=2), run(ctx=b"", slot=1)] == [0, 0, 3, 2, 1]

    def test_a_subclass_of_bytes(self) -> None:
        class Event(bytes):
            pass

        assert native(SUM, ctx=CtxSpec(16)).run(Event(CTX)) == (1 << 63) + 5

    @pytest.mark.parametrize(
        "arguments",
        [(b"",), (CTX + b"\0",), (bytearray(15),), (), (CTX, 4), (CTX, -5), (CTX, 1 << 70), (CTX, "0"), (7,),
         (CTX, 0, 0)],
    )  # fmt: skip
    def test_what_the_interpreter_refuses_is_refused_in_the_same_way(self, arguments: tuple[object, ...]) -> None:
        program = proved(SUM, ctx=CtxSpec(16))
        with pytest.raises(Exception) as wanted:  # noqa: PT011 (whatever it is)
            Interpreter(program, [], ScriptedEnv(), slots=4).run(*arguments)  # type: ignore[arg-type]
        with pytest.raises(type(wanted.value)) as got:
            Native(program, [], ScriptedEnv(), slots=4).run(*arguments)
        if isinstance(wanted.value, SpecError):
            assert str(got.value) == str(wanted.value)

    def test_a_negative_slot_counts_from_the_end_as_in_the_interpreter(self) -> None:
        program = proved(SLOT)
        assert Interpreter(program, [], ScriptedEnv(), slots=4).run(b"", -1) == 3
        assert Native(program, [], ScriptedEnv(), slots=4).run(b"", -1) == 3

    def test_a_writable_context_is_written_where_it_can_be(self) -> None:
        run = native("*(u8 *)(r1 + 1) = 7\nr0 = 0\nexit", ctx=CtxSpec(3, writable=True)).run
        mine, given = bytearray(b"abc"), b"abc"
        run(mine)
        run(given)
        assert (mine, given) == (b"a\x07c", b"abc")


class TestHelpersThatRaise:
    def test_what_it_raised_comes_out_and_the_slot_works_again(self) -> None:
        env = Broken()
        run = Native(proved("call 7\nexit"), [], env, slots=2).run
        for call in (run, lambda ctx, slot: run(bytearray(ctx), slot)):
            with pytest.raises(Boom, match="no more numbers"):
                call(b"", 1)
        env.left = 1
        assert run(b"", 1) == 4

    def test_even_what_is_no_exception(self) -> None:
        class Stopped(ScriptedEnv):
            def random_u32(self) -> int:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Native(proved("call 7\nexit"), [], Stopped()).run()

    def test_a_record_that_it_held_is_discarded(self) -> None:
        ring = create_map(RECORDS)
        assert isinstance(ring, RingBuf)
        env = Broken()
        run = Native(proved(HOLD_AND_ASK, RECORDS), [ring], env).run
        with pytest.raises(Boom):
            run()
        env.left = 1
        run()
        assert ring.consume() == (4).to_bytes(8, "little")
        assert ring.consume() is None

    def test_a_batch_ends_at_the_run_that_failed_and_says_so(self) -> None:
        env = Broken()
        env.left = 2
        loaded = Native(proved("r6 = *(u64 *)(r1 + 0)\ncall 7\nexit", ctx=CtxSpec(8)), [], env, slots=2)
        with pytest.raises(Boom):
            loaded.run_batch(bytes(8 * 10), 1)
        assert loaded.begun(1) == 3


class TestBatches:
    @pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
    def test_every_context_is_run(self, make: Callable[[bytes], bytes]) -> None:
        table = create_map(COUNTS)
        batch = Native(proved(COUNT, COUNTS, ctx=CtxSpec(8)), [table], ScriptedEnv()).run_batch
        assert batch(make(b"".join(n.to_bytes(8, "little") for n in range(1, 101)))) == 100
        assert dict(table.entries())[bytes(4)] == (5050).to_bytes(8, "little")  # type: ignore[union-attr]

    @pytest.mark.parametrize(("size", "shift"), [(8, 1), (9, 0), (3, 0), (12, 4)])
    def test_contexts_that_lie_askew(self, size: int, shift: int) -> None:
        table = create_map(COUNTS)
        text = COUNT.replace("*(u64 *)(r6 + 0)", "*(u8 *)(r6 + 2)")
        batch = Native(proved(text, COUNTS, ctx=CtxSpec(size)), [table], ScriptedEnv()).run_batch
        data = bytes(shift) + b"".join(bytes([0, 0, n]).ljust(size, b"\xff") for n in range(10))
        assert batch(memoryview(data)[shift:]) == 10
        assert dict(table.entries())[bytes(4)] == (45).to_bytes(8, "little")  # type: ignore[union-attr]

    def test_none_at_all(self) -> None:
        assert native(SUM, ctx=CtxSpec(16)).run_batch(b"") == 0

    def test_parts_of_a_context_are_refused(self) -> None:
        with pytest.raises(SpecError) as refused:
            native(SUM, ctx=CtxSpec(16)).run_batch(CTX + b"\0")
        assert str(refused.value) == (
            "p: takes contexts of 16 bytes back to back, got 17 bytes\n    fix    give a whole number of them"
        )

    def test_a_program_without_a_context_has_no_batches(self) -> None:
        with pytest.raises(SpecError, match="is run by `run`"):
            native(SLOT).run_batch(b"")

    def test_a_writable_context_is_a_copy(self) -> None:
        data = bytearray(6)
        loaded = native("*(u8 *)(r1 + 1) = 7\nr0 = 0\nexit", ctx=CtxSpec(3, writable=True))
        assert (loaded.run_batch(data), data) == (2, bytes(6))

    def test_other_threads_go_on_meanwhile(self) -> None:
        """A helper of the batch waits for another thread, which needs the GIL to get there."""
        came = threading.Event()

        class Waits(ScriptedEnv):
            def random_u32(self) -> int:
                assert came.wait(10)
                return 0

        loaded = Native(proved("r6 = *(u64 *)(r1 + 0)\ncall 7\nexit", ctx=CtxSpec(8)), [], Waits(), slots=2)
        thread = threading.Thread(target=loaded.run_batch, args=(bytes(80), 1))
        thread.start()
        loaded.spec  # noqa: B018 (this thread runs)
        came.set()
        thread.join(10)
        assert not thread.is_alive()


class TestLife:
    def test_the_builtin_keeps_the_code(self) -> None:
        run, batch = (lambda made: (made.run, made.run_batch))(native(SUM, ctx=CtxSpec(16)))
        gc.collect()
        for _ in range(200):  # whatever is free is used again
            native(SUM, ctx=CtxSpec(16))
        assert (run(CTX), batch(CTX * 3)) == ((1 << 63) + 5, 3)

    def test_nothing_is_left_of_it(self) -> None:
        env = ScriptedEnv()
        loaded = Native(proved("call 7\nexit"), [], env)
        loaded.run()
        gone, run = weakref.ref(env), loaded.run
        del env, loaded, run
        assert gone() is None  # at once: nothing is a circle that waits for the collector

    def test_the_memory_of_its_maps_stays(self) -> None:
        run = Native(proved(COUNT, COUNTS, ctx=CtxSpec(8)), [create_map(COUNTS)], ScriptedEnv()).run
        gc.collect()
        assert [run(bytes(8)) for _ in range(100)] == [0] * 100


class TestRefusals:
    def test_what_nobody_verified(self) -> None:
        with pytest.raises(SpecError, match="wasn't verified; native code checks nothing"):
            Native(Unverified(proved(SLOT).spec), [], ScriptedEnv())

    def test_maps_that_are_missing(self) -> None:
        program = proved(COUNT, COUNTS, ctx=CtxSpec(8))
        messages = []
        for engine in (Interpreter, Native):
            with pytest.raises(SpecError) as refused:
                engine(program, [], ScriptedEnv())
            messages.append(str(refused.value))
        assert messages == ["p: declares 1 maps, got 0"] * 2

    def test_two_maps_in_one_memory(self) -> None:
        table = create_map(COUNTS)
        program = proved(COUNT, COUNTS, replace(COUNTS, name="again"), ctx=CtxSpec(8))
        with pytest.raises(
            SpecError, match="p: got one memory for two maps, counts and counts\n    fix    make a map for"
        ):
            Native(program, [table, table], ScriptedEnv())

    def test_a_map_that_it_may_not_write(self) -> None:
        table = create_map(COUNTS)
        table.mem = Mem(bytes(table.mem.u8))
        with pytest.raises(SpecError, match="memory that is read-only"):
            Native(proved(COUNT, COUNTS, ctx=CtxSpec(8)), [table], ScriptedEnv())
