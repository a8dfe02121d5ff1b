"""The stack of a frame: cells that were written at once are read back with all that was known of them.

A number may be cut or joined; a pointer is only ever saved and restored whole, so no part of an address gets out.
"""

from __future__ import annotations

from axiom_hw.bpf.verifier import arith
from axiom_hw.bpf.verifier.num import BYTES, Num, const
from axiom_hw.bpf.verifier.rejection import Refusal
from axiom_hw.bpf.verifier.values import Cell, Ptr

Cells = dict[int, Cell]


def write(cells: Cells, off: int, size: int, value: Num | Ptr) -> None:
    """Store `size` bytes at the constant offset `off`."""
    for at, (length, held) in _overlapping(cells, off, size):
        _cut(cells, at, length, held, off, size)
    if isinstance(value, Num) and size < 8 and value.umax >> 8 * size:
        value = arith.zext(value, 8 * size)
    cells[off] = (size, value)


def write_somewhere(cells: Cells, low: int, high: int) -> None:
    """A store at an unknown place in low..high-1: what was written there stays written, but is unknown now."""
    for at, (length, held) in _overlapping(cells, low, high - low):
        if isinstance(held, Ptr):
            raise _damaged(at, held, "may overwrite")
        cells[at] = (length, BYTES[length])


def read(cells: Cells, off: int, size: int) -> Num | Ptr:
    """Load `size` bytes from the constant offset `off`, zero-extended."""
    exact = cells.get(off)
    if exact is not None and exact[0] == size:
        return exact[1]
    pieces = sorted(_overlapping(cells, off, size))
    covered = off
    for at, (length, held) in pieces:
        if isinstance(held, Ptr):
            raise _damaged(at, held, "reads a part of")
        if at > covered:
            break
        covered = at + length
    if covered < off + size:
        raise _unwritten("reads", off, size, covered)
    return _join(pieces, off, size)


def _join(pieces: list[tuple[int, Cell]], off: int, size: int) -> Num:
    total = const(0)
    for at, (length, held) in pieces:
        assert isinstance(held, Num)
        part = held
        if at < off:
            part = arith.alu("rsh", 64, part, const(8 * (off - at)))
            length, at = length - (off - at), off
        if at + length > off + size:
            part = arith.zext(part, 8 * (off + size - at)) if off + size - at in (1, 2, 4) else BYTES[8]
        total = arith.alu("or", 64, total, arith.alu("lsh", 64, part, const(8 * (at - off))))
    return arith.zext(total, 8 * size)


def readable(cells: Cells, off: int, size: int) -> None:
    """Check that a helper may read these bytes: all written, none part of a pointer."""
    covered = off
    for at, (length, held) in sorted(_overlapping(cells, off, size)):
        if isinstance(held, Ptr):
            raise Refusal("V106", f"would hand out the pointer saved at r10{at}: {held!r}")
        if at > covered:
            break
        covered = at + length
    if covered < off + size:
        raise _unwritten("hands out", off, size, covered)


def _overlapping(cells: Cells, off: int, size: int) -> list[tuple[int, Cell]]:
    if size > 64:
        return [(at, cell) for at, cell in cells.items() if at < off + size and at + cell[0] > off]
    found = []
    for at in range(off - 7, off + size):
        cell = cells.get(at)
        if cell is not None and at + cell[0] > off:
            found.append((at, cell))
    return found


def _cut(cells: Cells, at: int, length: int, held: Num | Ptr, off: int, size: int) -> None:
    """Take off..off+size-1 out of a cell; what is left of it becomes single bytes."""
    end = off + size
    whole = off <= at and at + length <= end
    if not whole and isinstance(held, Ptr):
        raise _damaged(at, held, "overwrites a part of")
    del cells[at]
    if whole:
        return
    assert isinstance(held, Num)
    for byte in range(length):
        if not off <= at + byte < end:
            shifted = arith.alu("rsh", 64, held, const(8 * byte))
            cells[at + byte] = (1, arith.zext(shifted, 8))


def _damaged(at: int, held: Ptr, what: str) -> Refusal:
    return Refusal("V206", f"{what} the pointer saved at r10{at}", [f"r10{at} = {held!r}"])


def _unwritten(verb: str, off: int, size: int, byte: int) -> Refusal:
    return Refusal("V204", f"{verb} stack bytes {off} to {off + size - 1}, but nothing wrote byte {byte} on this path")
