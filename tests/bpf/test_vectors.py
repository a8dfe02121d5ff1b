"""What is no instruction is refused: by `check` with a reason, by the verifier as V001, and by the interpreter at load.

For each row of the opcode table: each field that it doesn't use, filled, and each register behind r10. The vectors of
what instructions do are in vectors/, and the tests of the engines run them.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.insn import Insn, check
from axiom_hw.bpf.isa import Op
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier import Rejected, verify
from axiom_hw.errors import EncodingError
from tests.bpf.engine.rigs import ScriptedEnv

EXIT = Insn(0x95)
FIELDS = ("dst", "src", "off", "imm")
WORDS = {"off": "offset"}
NEVER = {"dst": 5, "src": 9, "off": 77, "imm": 0x7777}  # values that no row fixes a field to


def plain(op: Op) -> tuple[Insn, ...]:
    """The row's instruction with zeros in the fields that it uses."""
    fields = (rule if isinstance(rule, int) else 0 for rule in (op.dst, op.src, op.off, op.imm))
    return (Insn(op.code, *fields), *(Insn(0),) * (op.slots - 1))


EVERY_OP = pytest.mark.parametrize("op", isa.TABLE, ids=lambda op: op.name)


def refused(insns: tuple[Insn, ...], pc: int) -> str:
    """Assert that nobody takes the program, because of the slot at `pc`; the reason."""
    with pytest.raises(EncodingError) as caught:
        check(insns)
    assert caught.value.place == f"pc {pc}"
    spec = ProgramSpec("vector", insns)
    with pytest.raises(Rejected) as rejected:
        verify(spec)
    assert (rejected.value.code, rejected.value.pc) == ("V001", pc)
    with pytest.raises(EncodingError):
        Interpreter(Unverified(spec), [], ScriptedEnv())
    return caught.value.problem


@EVERY_OP
def test_an_unused_field_must_be_zero(op: Op) -> None:
    first, *rest = plain(op)
    for field in FIELDS:
        if isinstance(getattr(op, field), int):
            value = NEVER[field]
            reason = refused((EXIT, replace(first, **{field: value}), *rest, EXIT), 1)
            assert f"has {WORDS.get(field, field)} {value}; it must be " in reason


@EVERY_OP
def test_registers_end_at_r10(op: Op) -> None:
    first, *rest = plain(op)
    for field in ("dst", "src"):
        for value in (11, 15) if getattr(op, field) is isa.USED else ():
            reason = refused((EXIT, replace(first, **{field: value}), *rest, EXIT), 1)
            assert reason == f"`{op.name}` has {field} register {value}; the registers are r0 to r10"


@pytest.mark.parametrize("op", [op for op in isa.TABLE if op.slots == 2], ids=lambda op: op.name)
@pytest.mark.parametrize("second", [Insn(1), Insn(0, dst=1), Insn(0, src=1), Insn(0, off=-1)])
def test_the_second_slot_has_nothing_but_its_imm(op: Op, second: Insn) -> None:
    reason = refused((plain(op)[0], second, EXIT), 1)
    assert reason == f"the second slot of `{op.name}` must be zero except for its imm"


@pytest.mark.parametrize("code", sorted(set(range(256)) - set(isa.BY_CODE) - isa.PACKET_CODES), ids=hex)
def test_unknown_opcodes(code: int) -> None:
    assert refused((EXIT, Insn(code), EXIT), 1) == f"opcode {code:#04x} is no instruction of RFC 9669"


@pytest.mark.parametrize("code", sorted(isa.PACKET_CODES), ids=hex)
def test_packet_access(code: int) -> None:
    reason = refused((EXIT, Insn(code), EXIT), 1)
    assert reason == f"opcode {code:#04x} is legacy packet access (RFC 9669 section 5.5), which isn't supported"
