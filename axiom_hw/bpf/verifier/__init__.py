"""The verifier: spec -> Verified, or a Rejection that says why and what to do.

codes       every reason for which a program is refused
cfg         the shape: functions, jumps, dead code     declared   the maps
liveness    what later instructions still need
tnum num arith branch       what is known of numbers
values stack access calls   registers, pointers, memory, helpers
step        one instruction     cover   when a path need not be followed     explore   all paths
uses        which object each register points into where it is read: for the engines
"""

from __future__ import annotations

import time
from collections.abc import Callable

from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier.cfg import shape_of
from axiom_hw.bpf.verifier.declared import check_maps
from axiom_hw.bpf.verifier.explore import Limits, Walk
from axiom_hw.bpf.verifier.liveness import needs_of
from axiom_hw.bpf.verifier.rejection import Refusal, Rejected
from axiom_hw.bpf.verifier.values import State

__all__ = ["Limits", "Rejected", "verify"]


def verify(
    spec: ProgramSpec,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    observe: Callable[[int, State], None] | None = None,
) -> Verified:
    """Prove that no run of the program can fault, leak an address, lose a record or fail to end.

    Raises `Rejected` with a code of `verifier.codes` where that can't be shown.
    """
    try:
        shape = shape_of(spec)
        check_maps(spec)
    except Refusal as refusal:
        pc = refusal.pc or 0
        raise Rejected(spec, refusal, pc, "", (), 0) from None
    return Walk(spec, shape, needs_of(shape), limits, monotonic_ns, observe).prove()
