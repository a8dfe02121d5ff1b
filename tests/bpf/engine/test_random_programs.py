"""Programs that nobody wrote: whatever the bytes, the interpreter ends with a number or with an error of ours."""

from __future__ import annotations

import random

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.helpers import TABLE
from axiom_hw.bpf.insn import Insn, decode
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType, ProgramSpec
from axiom_hw.errors import AxiomError, Fault, SpecError
from tests.bpf.engine.rigs import ScriptedEnv

MAPS = (
    MapSpec("counts", MapType.ARRAY, 4, 8, 4),
    MapSpec("seen", MapType.HASH, 4, 8, 4),
    MapSpec("beats", MapType.RINGBUF, 0, 0, 4096),
)
BUDGET = 300
M64 = (1 << 64) - 1


def outcome(insns: tuple[Insn, ...]) -> type[AxiomError] | None:
    """How a program ended: None for a result."""
    env = ScriptedEnv(hardware={row.id: lambda *arguments: -1 for row in TABLE if row.id >= 1000})
    spec = ProgramSpec("random", insns, MAPS, CtxSpec(32, writable=True, length_in_r2=True))
    try:
        interpreter = Interpreter(Unverified(spec), [create_map(m) for m in MAPS], env, budget=BUDGET)
        for _ in range(2):  # a second run starts from what the first one left
            r0 = interpreter.run(bytearray(32))
            assert 0 <= r0 <= M64
    except AxiomError as error:
        return type(error)
    return None


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(500):
        outcome(decode(chance.randbytes(8 * chance.randint(1, 12))))


@pytest.mark.parametrize("seed", range(8))
def test_random_instructions(seed: int) -> None:
    chance = random.Random(seed)
    ends = [outcome(generated(chance)) for _ in range(250)]
    assert ends.count(None) > 10
    assert ends.count(Fault) > 10
    assert set(ends) <= {None, Fault, SpecError}


def generated(chance: random.Random) -> tuple[Insn, ...]:
    """Well-formed slots with fields that mean something more often than chance would."""
    insns: list[Insn] = []
    for _ in range(chance.randint(1, 30)):
        insns += instruction(chance)
    return (*insns, Insn(isa.BY_NAME["exit"].code))


def instruction(chance: random.Random) -> list[Insn]:
    row = chance.choice(isa.TABLE)
    fields = {
        "dst": chance.randint(0, 10),
        "src": chance.randint(0, 10),
        "off": chance.choice((0, 1, 2, 4, -1, -4, -8, -16, 8, chance.randint(-512, 511))),
        "imm": chance.choice((0, 1, 2, 8, -1, -8, chance.randint(-(1 << 31), (1 << 31) - 1))),
    }
    if row.kind in (isa.Kind.JUMP, isa.Kind.JUMP_IF):
        fields["off"] = fields["imm"] = chance.choice((0, 0, 1, 1, -2))
    if row.verb == "helper":
        fields["imm"] = chance.choice(TABLE).id
    if row.kind is isa.Kind.IMM64 and row.verb != "value":
        fields["imm"] = chance.randint(0, 2)
    for name in fields:
        rule = getattr(row, name)
        if isinstance(rule, int):
            fields[name] = rule
    insn = Insn(row.code, **fields)
    return [insn] if row.slots == 1 else [insn, Insn(0)]
