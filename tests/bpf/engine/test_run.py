"""A run from the outside: registers at the start, contexts, budgets, faults, slots, frames."""

from __future__ import annotations

import threading

import pytest

from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType, ProgramSpec
from axiom_hw.errors import EncodingError, Fault, SpecError
from tests.bpf.engine.rigs import ScriptedEnv, load

COUNTS = MapSpec("counts", MapType.ARRAY, 4, 8, 2)
CALL_DOWN = "call pc+1\nexit\n"


def test_registers_at_the_start() -> None:
    for register in (0, 3, 4, 5, 6, 7, 8, 9):
        assert load(f"r0 = r{register}\nexit").run() == 0
    assert load("r0 = r2\nexit", ctx=CtxSpec(24)).run(bytes(24)) == 0
    assert load("r0 = r2\nexit", ctx=CtxSpec(24, length_in_r2=True)).run(bytes(24)) == 24
    assert load("r0 = r1\nexit").run() == 0  # no context: NULL, as the verifier has it
    assert load("r0 = *(u8 *)(r1 + 23)\nexit", ctx=CtxSpec(24)).run(bytes(range(24))) == 23


def test_the_stack_is_blank_in_each_run() -> None:
    rig = load("r0 = *(u64 *)(r10 - 512)\n*(u64 *)(r10 - 512) = -1\nexit")
    assert [rig.run(), rig.run()] == [0, 0]


def test_a_context_is_read_only_unless_declared() -> None:
    text = "*(u32 *)(r1 + 4) = 7\nr0 = 0\nexit"
    with pytest.raises(Fault) as caught:
        load(text, ctx=CtxSpec(8)).run(bytes(8))
    assert caught.value.problem.endswith("the context is read-only")
    buffer = bytearray(8)
    load(text, ctx=CtxSpec(8, writable=True)).run(buffer)
    assert buffer == bytes((0, 0, 0, 0, 7, 0, 0, 0))
    for read_only in (bytes(8), memoryview(bytes(8))):
        assert load(text, ctx=CtxSpec(8, writable=True)).interpreter.run(read_only) == 0


def test_a_context_of_another_size_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        load("exit", ctx=CtxSpec(8)).run(bytes(9))
    assert str(caught.value) == "p: takes a context of 8 bytes, got 9"


def test_a_fault_has_fields() -> None:
    rig = load("r0 = 0\nr0 = *(u32 *)(r10 - 516)\nexit")
    with pytest.raises(Fault) as caught:
        rig.run()
    fault = caught.value
    assert (fault.program, fault.pc, fault.region) == ("p", 1, "the stack")
    assert fault.address is not None
    assert str(fault) == f"p at pc 1: reads 4 bytes at {fault.address:#x}: 4 bytes before the stack"
    assert rig.interpreter.spec.name == "p"


def test_a_program_that_never_ends_meets_its_budget() -> None:
    with pytest.raises(Fault) as caught:
        load("goto -1\nexit", budget=1000).run()
    assert str(caught.value) == "p at pc 0: ran 1000 instructions, its budget, and isn't done"
    assert load("r0 = 3\nexit", budget=2).run() == 3
    with pytest.raises(Fault):
        load("r0 = 3\nr0 = 4\nexit", budget=2).run()
    with pytest.raises(SpecError, match="at least 1"):
        load("exit", budget=0)


def test_run_counted_counts_what_ran() -> None:
    rig = load("r1 = 10\nr0 += 2\nr1 += -1\nif r1 != 0 goto -3\nexit")
    assert rig.interpreter.run_counted() == (20, 1 + 3 * 10 + 1)


def test_eight_frames_and_no_more() -> None:
    assert load(CALL_DOWN * 7 + "r0 = 5\nexit").run() == 5
    with pytest.raises(Fault) as caught:
        load(CALL_DOWN * 8 + "r0 = 5\nexit").run()
    assert caught.value.problem == "calls a function from frame 8; 8 frames is the limit"
    assert caught.value.pc == 14


def test_frames_are_separate_memory() -> None:
    rig = load("r6 = r10\ncall pc+2\nr0 = *(u64 *)(r10 - 8)\nexit\nr6 = r10\nr6 += -520\n*(u64 *)(r6 + 0) = 1\nexit")
    with pytest.raises(Fault) as caught:
        rig.run()
    assert caught.value.problem.endswith("8 bytes before frame 1")


def test_after_a_fault_the_next_run_is_whole() -> None:
    rig = load("if r2 == 8 goto +2\ncall pc+1\nexit\nr0 = *(u8 *)(r1 + 0)\nr0 = *(u8 *)(r1 + 8)\nexit",
               ctx=CtxSpec(8))  # fmt: skip
    for _ in range(20):
        with pytest.raises(Fault) as caught:
            rig.run(bytes(8))
        assert caught.value.pc == 4


def test_the_end_without_exit_is_a_fault() -> None:
    with pytest.raises(Fault) as caught:
        load("r0 = 1").run()
    assert (caught.value.pc, caught.value.problem) == (1, "the program ends here without an exit")


@pytest.mark.parametrize(
    ("insns", "message"),
    [
        ((Insn(0x05, off=1), Insn(0x95)), "p at pc 0: `goto` goes to pc 2, where no instruction begins"),
        ((Insn(0x05, off=1), Insn(0x18), Insn(0), Insn(0x95)), "p at pc 0: `goto` goes to pc 2, where no instruction"),
        ((Insn(0x85, src=1, imm=-5), Insn(0x95)), "p at pc 0: `call local` goes to pc -4, where no instruction begins"),
        ((Insn(0x85, imm=4242), Insn(0x95)), "p at pc 0: calls helper 4242, which doesn't exist"),
        ((Insn(0x18, src=1, imm=3), Insn(0), Insn(0x95)), "p at pc 0: means map 3, but the program has 1"),
        ((Insn(0x18, src=1, imm=-1), Insn(0), Insn(0x95)), "p at pc 0: means map -1, but the program has 1"),
    ],
)
def test_what_does_not_exist_is_refused_at_load(insns: tuple[Insn, ...], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Interpreter(Unverified(ProgramSpec("p", insns, (COUNTS,))), [create_map(COUNTS)], ScriptedEnv())
    assert str(caught.value).startswith(message)


def test_bytes_that_are_no_instruction_are_refused_at_load() -> None:
    with pytest.raises(EncodingError, match="pc 0"):
        Interpreter(Unverified(ProgramSpec("p", (Insn(0xFF),))), [], ScriptedEnv())


def test_maps_must_be_those_declared() -> None:
    with pytest.raises(SpecError, match="declares 1 maps, got 0"):
        Interpreter(Unverified(ProgramSpec("p", (Insn(0x95),), (COUNTS,))), [], ScriptedEnv())


def test_slots_run_at_once_and_atomics_add_up() -> None:
    rig = load(
        """
        r6 = 2000
        r1 = map[counts][0]+0 ll
        r2 = 1
        lock *(u64 *)(r1 + 0) += r2
        r3 = 1
        r3 = atomic_fetch_add((u64 *)(r1 + 0), r3)
        r6 += -1
        if r6 != 0 goto -5
        call get_smp_processor_id
        exit
        """,
        COUNTS,
        slots=4,
    )
    results: list[int] = [0] * 4

    def work(slot: int) -> None:
        results[slot] = rig.run(slot=slot)

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 1, 2, 3]
    assert dict(rig.maps[0].entries())[bytes(4)] == (4 * 2 * 2000).to_bytes(8, "little")
