"""The vectors say what Linux says, too: each that the kernel's verifier takes gives the same r0 there."""

from __future__ import annotations

import pytest

from tests.bpf import linux
from tests.bpf.vectors.vectors import load

# The number of the CPU is 0 only for us; reading a frame that nobody wrote gives zeros only for us.
OURS = ("call: the number of the slot", "call local: a fresh frame is blank")


@pytest.mark.skipif(not linux.permitted(), reason="this process may not load programs into the kernel")
def test_the_vectors_give_the_same_on_linux() -> None:
    same, different, programs = 0, [], {}
    for vector in load():
        if vector.mem is None and vector.r0 is not None and vector.name not in OURS:
            programs[vector.insns] = vector
    for insns, vector in programs.items():
        try:
            result = linux.run(insns)
        except linux.Refused:  # shifts by more than the width, divisions by a literal zero, maps
            continue
        if result == vector.r0:
            same += 1
        else:
            different.append(f"{vector.name}: Linux {result:#x}, vector {vector.r0:#x}")
    assert different == []
    # Kernels before 6.6 refuse what cpu v4 brought.
    assert same > len(programs) / 2, f"Linux took only {same} of {len(programs)} vectors"
