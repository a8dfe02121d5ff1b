"""The string tables of an object: offsets into a block of NUL-terminated text, read within a budget.

Tables may share tails, so that a damaged one can make a small file spell out gigabytes. Each table therefore spells
out a fixed multiple of its own size, and no more.
"""

from __future__ import annotations

from axiom_hw.errors import ObjectError

LONGEST = 1023  # bytes of one string; Linux's longest symbol name is 511
_BUDGET_FACTOR = 16  # linkers share tails a little; sixteen times the table is damage
_BUDGET_FLOOR = 1 << 16


class StringTable:
    """One table. `place` names it in errors. Synchronization: for one thread, it remembers what it read."""

    def __init__(self, data: bytes | memoryview, place: str) -> None:
        self._data = data
        self._place = place
        self._known: dict[int, str] = {}
        self._left = _BUDGET_FACTOR * len(data) + _BUDGET_FLOOR

    def at(self, offset: int, what: str = "a name", *, cut: bool = False) -> str:
        """The string that starts at byte `offset`; `what` says in the error what it was to be.

        Raises `ObjectError` where it lies outside the table, doesn't end, or is longer than `LONGEST` bytes; with
        `cut`, a longer one is cut off there instead.
        """
        known = self._known.get(offset)
        if known is not None:
            return known
        if not 0 <= offset < len(self._data):
            raise self._damaged(f"{what} is at byte {offset}, but the table has {len(self._data)} bytes")
        piece = bytes(self._data[offset : offset + LONGEST + 1])
        end = piece.find(b"\0")
        if end < 0 and cut and len(piece) > LONGEST:
            end = LONGEST
        if end < 0:
            limit = "the table ends" if offset + len(piece) == len(self._data) else f"{LONGEST} bytes follow"
            raise self._damaged(f"{what} at byte {offset} has no end: {limit} without a NUL")
        self._left -= end + 1
        if self._left < 0:
            raise self._damaged(f"its strings overlap: they add up to more than {_BUDGET_FACTOR} times its size")
        # Names are UTF-8 in every object of clang's; a stray byte in a name is no reason to refuse a program.
        text = self._known[offset] = piece[:end].decode("utf-8", errors="replace")
        return text

    def _damaged(self, problem: str) -> ObjectError:
        return ObjectError(self._place, problem, "the file is damaged: compile its source again")
