"""The decisions of a guard in memory that other processes may read, and the texts that stand in them as numbers.

An entry's turn is odd while it is written, and tells its number afterwards: whoever reads looks at it before and
after. Native code writes entries by `line_ops`, Python by `Journal.note`; both the same.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from axiom_hw.actuation import line_ops as ops
from axiom_hw.actuation.audit import Decision, Verdict
from axiom_hw.bpf.maps.mem import Mem, cas_u64, load_u32, load_u64, store_u64

# As line_ops numbers them; the rest is Python's.
VERDICTS: Final = (
    Verdict.APPLIED, Verdict.STOPPED, Verdict.CLOSED, Verdict.FAILED, Verdict.UNKNOWN, Verdict.REFUSED, Verdict.CROWDED,
    Verdict.DENIED, Verdict.EXPIRED, Verdict.CLAMPED, Verdict.SLEWED, Verdict.LATCHED, Verdict.RELEASED,
)  # fmt: skip
_NUMBERS: Final = {verdict: number for number, verdict in enumerate(VERDICTS)}

NAME_BYTES: Final = 96
NAMES: Final = 512
NAMES_BYTES: Final = 8 + NAMES * NAME_BYTES  # their number, u64, then the texts, each ended by zeros
_REST: Final = "others"  # the last one, when there are more than there is room for

_NAMED: Final = 1 << 62  # an output by its name's number, where others are lines of chip 0
_S: Final = 1_000_000_000
_M64: Final = (1 << 64) - 1
_ENTRY: Final = Struct("<QQQQQQI4xI")  # from SECONDS to ERRNO


class Names:
    """Texts by number, in memory that several processes may map; a longer one is cut.

    Synchronization: any thread. Two processes that add at the same moment may mix up the two texts, no more.
    """

    def __init__(self, mem: Mem) -> None:
        self._mem = mem
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []
        self._look()

    def number(self, text: str) -> int:
        """The number of a text, which is added where it is new."""
        known = self._numbers.get(text)
        return known if known is not None else self._add(text)

    def text(self, number: int) -> str:
        """The text of a number, empty where it has none."""
        if number >= len(self._texts):
            self._look()
        return self._texts[number] if number < len(self._texts) else ""

    def _add(self, text: str) -> int:
        self._look()
        if text in self._numbers:
            return self._numbers[text]
        if len(self._texts) >= NAMES - 1:
            text = _REST
            if text in self._numbers:
                return self._numbers[text]
        raw = text.encode()[: NAME_BYTES - 1]
        number = len(self._texts)
        at = 8 + number * NAME_BYTES
        self._mem.u8[at : at + NAME_BYTES] = raw.ljust(NAME_BYTES, b"\0")
        self._numbers[text] = number
        self._texts.append(text)
        store_u64(self._mem, 0, number + 1)
        return number

    def _look(self) -> None:
        """Take in what others have added."""
        while len(self._texts) < min(load_u64(self._mem, 0), NAMES):
            at = 8 + len(self._texts) * NAME_BYTES
            text = bytes(self._mem.u8[at : at + NAME_BYTES]).rstrip(b"\0").decode(errors="replace")
            self._numbers.setdefault(text, len(self._texts))
            self._texts.append(text)


class Journal:
    """The last `entries` decisions at `at` in a memory.

    Synchronization: any thread, and native code, at the same time; other processes read.
    """

    def __init__(self, mem: Mem, at: int, entries: int, names: Names) -> None:
        self._mem = mem
        self._at = at
        self._entries = entries
        self._names = names

    def repair(self) -> None:
        """Give up the entries that a killed process was writing. Nobody may write meanwhile."""
        for entry in self._rows():
            if load_u64(self._mem, entry + ops.TURN) & 1:
                store_u64(self._mem, entry + ops.TURN, 0)

    def name_of(self, output: str) -> int:
        """What stands for an output's name in an entry."""
        return _NAMED | self._names.number(output)

    def note(
        self, number: int, timestamp_ns: int, source: str, output: str, wanted: int, written: int | None,
        verdict: Verdict, errno: int,
    ) -> None:  # fmt: skip
        """Keep a decision; the oldest makes room. One whose room is being written just now isn't kept."""
        mem = self._mem
        entry = self._at + (number & (self._entries - 1)) * ops.ENTRY_BYTES
        old = load_u64(mem, entry + ops.TURN)
        if old & 1 or not cas_u64(mem, entry + ops.TURN, old, old | 1):
            return
        names = self._names
        _ENTRY.pack_into(
            mem.u8, entry + ops.SECONDS, timestamp_ns // _S, timestamp_ns % _S, names.number(source),
            _NAMED | names.number(output), wanted & _M64, ops.NOTHING if written is None else written & _M64,
            _NUMBERS[verdict], errno,
        )  # fmt: skip
        store_u64(mem, entry + ops.TURN, 2 * number)

    def decisions(self) -> list[Decision]:
        """What is kept, in no order."""
        found = []
        for entry in self._rows():
            turn = load_u64(self._mem, entry + ops.TURN)
            if not turn or turn & 1:
                continue
            decision = self._decision(entry, turn // 2)
            if load_u64(self._mem, entry + ops.TURN) == turn:
                found.append(decision)
        return found

    def _rows(self) -> range:
        return range(self._at, self._at + self._entries * ops.ENTRY_BYTES, ops.ENTRY_BYTES)

    def _decision(self, entry: int, number: int) -> Decision:
        mem, line = self._mem, _signed(load_u64(self._mem, entry + ops.OF_LINE))
        written = load_u64(mem, entry + ops.WRITTEN)
        verdict = load_u32(mem, entry + ops.VERDICT)
        return Decision(
            number,
            load_u64(mem, entry + ops.SECONDS) * 1_000_000_000 + load_u64(mem, entry + ops.SECONDS + 8),
            self._names.text(load_u64(mem, entry + ops.BY)),
            self._names.text(line & ~_NAMED) if line >= _NAMED else f"gpio/0/line{line}",
            _signed(load_u64(mem, entry + ops.WANTED)),
            None if written == ops.NOTHING else _signed(written),
            VERDICTS[verdict % len(VERDICTS)],  # a torn one is thrown away by whoever reads
            load_u32(mem, entry + ops.ERRNO),
        )


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
