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
    r8 = 0
    r9 = 0
"""

# 14 instructions: a reading is compared with two limits and with another reading, scaled and added up.
_READING: Final = """
    r2 = *(u32 *)(r6 + {at})
    if r2 > {high} goto beyond{n}
    if r2 < {low} goto done{n}
    r3 = r2
    r3 *= {scale}
    r3 >>= {shift}
    r7 += r3
    r9 ^= r3
    r4 = *(u32 *)(r6 + {other})
    w4 -= w2
    if w4 s> {slope} goto beyond{n}
    r8 += 1
    goto done{n}
beyond{n}:
    r7 += {penalty}
done{n}:
"""

# 14: a lookup, tested, and counted.
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

# 14: a record, and the end.
_TAIL: Final = """
    r1 = *(u64 *)(r6 + 0)
    r9 ^= r8
    *(u64 *)(r10 - 32) = r1
    *(u64 *)(r10 - 24) = r7
    *(u64 *)(r10 - 16) = r8
    *(u64 *)(r10 - 8) = r9
    r1 = map[records] ll
    r2 = r10
    r2 += -32
    r3 = 32
    r4 = 0
    call ringbuf_output
    exit
"""


def generated(seed: int) -> ProgramSpec:
    """Ten readings of a context with 30 branches, three lookups in two maps, and a record for a ring."""
    numbers = Random(seed)
    parts = [_HEAD.format(seed=numbers.getrandbits(31))]
    for n in range(_PARTS):
        if n % 4 == 3:
            table = "seen" if n == 7 else "counts"
            step, mask = numbers.randrange(1, 1000), numbers.getrandbits(31)
            parts.append(_COUNT.format(n=n, map=table, step=step, mask=mask))
            continue
        at, other = (4 * numbers.randrange(8) for _ in range(2))
        low, high = sorted(numbers.getrandbits(20) for _ in range(2))
        scale, shift = numbers.randrange(3, 5000), numbers.randrange(1, 24)
        slope, penalty = numbers.randrange(1, 5000), numbers.randrange(1, 1000)
        parts.append(
            _READING.format(
                n=n, at=at, other=other, low=low, high=high, scale=scale, shift=shift, slope=slope, penalty=penalty
            )
        )
    parts.append(_TAIL)
    (program,) = assemble("".join(parts), "generated.bpf.s").programs
    assert len(program.insns) == INSNS, len(program.insns)
    return program
