"""A program of 200 instructions whose numbers differ with each seed, as one that was never compiled before."""

from __future__ import annotations

from random import Random
from typing import Final

from axiom_hw.bpf.asm import assemble
from axiom_hw.bpf.spec import ProgramSpec

INSNS: Final = 200
_PARTS: Final = 13

_HEAD: Final = """
.map counts type=array key=4 value=8 entries=16
.map seen type=hash key=4 value=8 entries=64
.map records type=ringbuf entries=4096
.ctx 32
.section "bench"
main:
    r6 = r1
    r7 = {seed}
    r8 = *(u64 *)(r6 + 8)
"""

# 14 instructions: load, mix, a decision, a word of the stack.
_MIX: Final = """
    r2 = *(u32 *)(r6 + {at})
    r7 ^= r2
    r7 *= {factor}
    r3 = r7
    r3 >>= {shift}
    r7 += r3
    if r2 > {limit} goto big{n}
    r7 -= {less}
    goto done{n}
big{n}:
    w7 ^= {mask}
done{n}:
    r4 = r7
    r4 &= {bits}
    r7 += r4
    *(u64 *)(r10 - {slot}) = r7
"""

# 15: a lookup, tested, and counted.
_COUNT: Final = """
    r1 = r7
    r1 &= 31
    *(u32 *)(r10 - 4) = r1
    r1 = map[{map}] ll
    r2 = r10
    r2 += -4
    call map_lookup_elem
    if r0 == 0 goto none{n}
    r1 = *(u64 *)(r0 + 0)
    r1 += {step}
    *(u64 *)(r0 + 0) = r1
    r7 += r1
none{n}:
    r7 ^= {mask}
"""

# 15: a record, and the end.
_TAIL: Final = """
    r7 += r8
    r7 ^= r8
    r1 = *(u64 *)(r6 + 0)
    *(u64 *)(r10 - 24) = r1
    *(u64 *)(r10 - 16) = r7
    r1 = map[records] ll
    r2 = r10
    r2 += -24
    r3 = 16
    r4 = 0
    call ringbuf_output
    r7 += r0
    r0 = r7
    exit
"""


def generated(seed: int) -> ProgramSpec:
    """Two array lookups, one in a hash map, a record for a ring, and arithmetic with 10 branches in between."""
    numbers = Random(seed)
    parts = [_HEAD.format(seed=numbers.getrandbits(31))]
    for n in range(_PARTS):
        if n % 4 == 3:
            target = "seen" if n == 7 else "counts"
            fields = {"n": n, "map": target, "step": numbers.randrange(1, 1000), "mask": numbers.getrandbits(31)}
            parts.append(_COUNT.format(**fields))
        else:
            parts.append(
                _MIX.format(
                    n=n,
                    at=4 * numbers.randrange(8),
                    factor=numbers.getrandbits(30) | 1,
                    shift=numbers.randrange(1, 63),
                    limit=numbers.getrandbits(31),
                    less=numbers.getrandbits(31),
                    mask=numbers.getrandbits(31),
                    bits=numbers.getrandbits(31),
                    slot=32 + 8 * numbers.randrange(8),
                )
            )
    parts.append(_TAIL)
    (program,) = assemble("".join(parts), "generated.bpf.s").programs
    assert len(program.insns) == INSNS, len(program.insns)
    return program
