"""Read-modify-writes of plain Python as machine instructions, for when native code runs without the GIL."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

from axiom_hw.bpf.engine.llvm.jit import compile_ir
from axiom_hw.bpf.engine.llvm.loading import load
from axiom_hw.bpf.maps.mem import Atomics, use_atomics

_PLACE: Final = "atomics"
_WIDTHS: Final = (32, 64)


@cache
def use_real_atomics() -> None:
    """Make those of `maps.mem` real ones. Raises `CompileError`."""
    verbs = ("cas", "add", "xchg")
    library = load(compile_ir("".join(map(_text, _WIDTHS)), _PLACE), {}, _PLACE)
    _kept.append(library)
    cas32, cas64 = (_CAS[bits](library.addresses[f"cas{bits}"]) for bits in _WIDTHS)
    add32, add64, xchg32, xchg64 = (
        _MODIFY[bits](library.addresses[f"{verb}{bits}"]) for verb in verbs[1:] for bits in _WIDTHS
    )
    use_atomics(Atomics(cas32, cas64, add32, add64, xchg32, xchg64))


_kept: Final[list[object]] = []
_TYPES: Final = {32: ctypes.c_uint32, 64: ctypes.c_uint64}
# These keep the GIL: giving it up would cost more than the instruction.
_CAS: Final = {b: ctypes.PYFUNCTYPE(ctypes.c_bool, ctypes.c_uint64, t, t) for b, t in _TYPES.items()}
_MODIFY: Final = {b: ctypes.PYFUNCTYPE(t, ctypes.c_uint64, t) for b, t in _TYPES.items()}


def _text(bits: int) -> str:
    n, align = f"i{bits}", bits // 8
    modifies = "".join(
        f"""
define {n} @{verb}{bits}(i64 %at, {n} %with) nounwind {{
  %p = inttoptr i64 %at to ptr
  %was = atomicrmw {verb} ptr %p, {n} %with acq_rel, align {align}
  ret {n} %was
}}
"""
        for verb in ("add", "xchg")
    )
    return f"""
define zeroext i1 @cas{bits}(i64 %at, {n} %old, {n} %new) nounwind {{
  %p = inttoptr i64 %at to ptr
  %pair = cmpxchg ptr %p, {n} %old, {n} %new acq_rel acquire, align {align}
  %did = extractvalue {{ {n}, i1 }} %pair, 1
  ret i1 %did
}}
{modifies}"""
