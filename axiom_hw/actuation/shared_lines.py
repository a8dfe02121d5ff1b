"""Output lines that native code writes by itself: their state in memory, which Python and programs share.

The rules are `line_ops`, compiled. Python asks by the same code, because what it did as plain Python could come between
two instructions of native code, which doesn't wait for the GIL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from axiom_hw.actuation import line_ops as ops
from axiom_hw.actuation.actuator import Actuator
from axiom_hw.actuation.audit import Decision, Verdict
from axiom_hw.actuation.journal import NAMES_BYTES, VERDICTS, Journal, Names
from axiom_hw.board import PwmChannel
from axiom_hw.bpf.engine.machine import NativeHelper
from axiom_hw.bpf.helpers import BY_NAME
from axiom_hw.bpf.maps.mem import Mem, fetch_add_u64, load_u64, store_u32, store_u64, zero
from axiom_hw.syscalls import PROCESS, address_of

AUDIT_ENTRIES: Final = 256
_PORTS: Final = 4096
_STATE: Final = NAMES_BYTES + _PORTS * ops.PORT_BYTES
_AUDIT: Final = ops.STATE_BYTES
_ROWS: Final = _AUDIT + AUDIT_ENTRIES * ops.ENTRY_BYTES
_M64: Final = (1 << 64) - 1
_REST: Final = "other programs"  # who has the last port, when there are more programs than ports

# Where somebody else finds what outlives the process.
STOPS_AT: Final = _STATE + ops.STOPS
ACKNOWLEDGED_AT: Final = _STATE + ops.ACKNOWLEDGED
DECISIONS_AT: Final = _STATE + ops.DECISIONS

Ask = Callable[[int], int]
"""Answers the request at an address: `line_ops.ask`, compiled, or as plain Python where nobody else runs."""

MakeAsk = Callable[[], Ask]


@dataclass(frozen=True, slots=True)
class SharedLine:
    """A line of a request that the kernel's own descriptor `fd` stands for, at position `bit` of it.

    `safe_value` is None for an input. Orders need the authority `least`; a watchdog looks at one that is `watched`.
    """

    name: str
    chip_id: int
    line: int
    fd: int
    bit: int
    safe_value: int | None
    least: int = 0
    watched: bool = False


def bytes_of(lines: int) -> int:
    """How much memory the state of so many lines takes."""
    return _STATE + _ROWS + lines * ops.ROW_BYTES


def journal_in(mem: Mem) -> Journal:
    """The decisions in a memory that is, or was, a guard's."""
    return Journal(mem, _STATE + _AUDIT, AUDIT_ENTRIES, Names(Mem(mem.u8[:NAMES_BYTES])))


class SharedLines:
    """The state of a board's lines. In a `mem` that held one before, stops and decisions stay, all else begins anew.

    Synchronization: any thread, and native code at the same time.
    """

    def __init__(self, lines: tuple[SharedLine, ...], ask: Ask, mem: Mem | None = None) -> None:
        self._ask = ask
        self._mem = mem if mem is not None else Mem.anonymous(bytes_of(len(lines)))
        self.address = address_of(self._mem) + _STATE
        self._rows: dict[tuple[int, int], int] = {}
        self._sources: dict[str, int] = {}
        self._ports: dict[str, int] = {}
        self._names = Names(Mem(self._mem.u8[:NAMES_BYTES]))
        self.journal = Journal(self._mem, _STATE + _AUDIT, AUDIT_ENTRIES, self._names)
        if mem is not None:
            kept = [(word, self._get(word)) for word in (ops.STOPS, ops.ACKNOWLEDGED, ops.DECISIONS)]
            zero(mem, NAMES_BYTES, _STATE - NAMES_BYTES + _AUDIT)
            zero(mem, _STATE + _ROWS, len(lines) * ops.ROW_BYTES)
            for word, value in kept:
                self._put(word, value)
            self.journal.repair()
        self._put(ops.ADDRESS, self.address)
        self._put(ops.AUDIT, _AUDIT)
        self._put(ops.AUDIT_ENTRIES, AUDIT_ENTRIES)
        for number, line in enumerate(lines):
            self._add(line, _ROWS + number * ops.ROW_BYTES)

    def row(self, chip_id: int, line: int) -> int | None:
        """The address of a line's row, for the methods below; None for a line that isn't shared."""
        return self._rows.get((chip_id, line))

    def set(self, row: int, value: int, source: str) -> int:
        """Drive an output; see `Guard.set_gpio`."""
        return self._do(ops.ASK_SET, row, source, value)

    def get(self, row: int) -> int:
        """The value of a line, or a negative errno."""
        return self._do(ops.ASK_GET, row)

    def make_safe(self, row: int, source: str) -> int | None:
        """Order the safe state. 0 or a negative errno, or None: another thread is writing this output, and this next.

        `safe_writes` tells when it has.
        """
        before = self.safe_writes(row)
        self._do(ops.ASK_SAFE, row, source)
        return self.safe_result(row) if self.safe_writes(row) != before else None

    def force_safe(self, row: int, source: str) -> int:
        """Write the safe state past whoever hangs in a write. 0 or a negative errno."""
        return self._do(ops.ASK_FORCE, row, source)

    def expire(self, row: int, source: str) -> None:
        """As `make_safe`, because no order came in time."""
        self._do(ops.ASK_EXPIRE, row, source)

    def last_order_ns(self, row: int) -> int:
        """When the last order for a watched output was carried out; 0 since it went to its safe state."""
        return load_u64(PROCESS, row + ops.LAST) * 1_000_000_000 + load_u64(PROCESS, row + ops.LAST + 8)

    def safe_writes(self, row: int) -> int:
        """How often the safe state of an output was written."""
        return load_u64(PROCESS, row + ops.SAFE_WRITES)

    def safe_result(self, row: int) -> int:
        """What became of the last of these: 0 or a negative errno."""
        return -load_u64(PROCESS, row + ops.SAFE_RESULT)

    def stop(self) -> None:
        """Latch the emergency stop: every write from here on makes safe."""
        self._do(ops.ASK_STOP)

    @property
    def stops(self) -> int:
        """Emergency stops so far."""
        return self._get(ops.STOPS)

    @property
    def is_stopped(self) -> bool:
        """Whether one is latched."""
        return self._get(ops.STOPS) != self._get(ops.ACKNOWLEDGED)

    def release_stop(self, stops: int) -> None:
        """Unlatch, if there were no more than so many stops."""
        self._put(ops.ACKNOWLEDGED, stops)

    def verdict(self) -> Verdict:
        """What becomes of an order that would be written now, unless it makes safe."""
        return VERDICTS[ops.verdict_now(self._mem, _STATE)]

    def close(self) -> None:
        """Refuse every order but those that make safe."""
        self._put(ops.CLOSED, 1)

    def next_number(self) -> int:
        """The number of a decision that Python keeps."""
        return fetch_add_u64(self._mem, DECISIONS_AT, 1) + 1

    def note(
        self, timestamp_ns: int, source: str, output: str, wanted: int, written: int | None, verdict: Verdict,
        errno: int,
    ) -> None:  # fmt: skip
        """Keep a decision of Python's where those of native code are."""
        self.journal.note(self.next_number(), timestamp_ns, source, output, wanted, written, verdict, errno)

    def natives(self, source: str) -> Mapping[int, NativeHelper]:
        """The helpers of a program in restricted Python; `source` is the program, for the audit."""
        number = self._ports.setdefault(source, len(self._ports))
        if number >= _PORTS - 1:
            number, source = _PORTS - 1, _REST
        at = NAMES_BYTES + number * ops.PORT_BYTES
        port = Mem(self._mem.u8[at:])
        store_u64(port, ops.PORT_STATE, _STATE - at)
        store_u64(port, ops.PORT_SOURCE, self._names.number(source))
        return {
            BY_NAME["gpio_set"].id: NativeHelper(ops.port_set, port),
            BY_NAME["gpio_get"].id: NativeHelper(ops.port_get, port),
            BY_NAME["emergency_stopped"].id: NativeHelper(ops.port_stopped, port),
        }

    def decisions(self) -> list[Decision]:
        """What is kept of the decisions, in no order."""
        return self.journal.decisions()

    def _add(self, line: SharedLine, at: int) -> None:
        is_output = line.safe_value is not None
        self._rows[line.chip_id, line.line] = self.address + at
        if line.chip_id == 0:
            store_u32(self._mem, _STATE + ops.INDEX + 4 * line.line, at)
        for word, value in (
            (ops.FD, line.fd),
            (ops.MASK, 1 << line.bit),
            (ops.IS_OUTPUT, int(is_output)),
            (ops.SAFE, line.safe_value or 0),
            (ops.LINE, self.journal.name_of(line.name)),
            (ops.LEAST, line.least),
            (ops.WATCHED, int(line.watched)),
            (ops.FREE, _M64),
        ):
            self._put(at + word, value)

    def _do(self, what: int, row: int = 0, source: str = "", value: int = 0) -> int:
        request = Mem(bytearray(ops.ASK_BYTES))
        store_u64(request, ops.ASK_WHAT, what)
        store_u64(request, ops.ASK_STATE, self.address)
        store_u64(request, ops.ASK_ROW, row)
        store_u64(request, ops.ASK_SOURCE, self._names.number(source))
        store_u64(request, ops.ASK_VALUE, value & _M64)
        return self._ask(address_of(request))

    def _put(self, word: int, value: int) -> None:
        store_u64(self._mem, _STATE + word, value)

    def _get(self, word: int) -> int:
        return load_u64(self._mem, _STATE + word)


def shared_lines_of(actuators: Sequence[Actuator]) -> tuple[SharedLine, ...]:
    """The lines that native code can write: all of a board's, or none."""
    lines = [(a.output, a.fd) for a in actuators if not isinstance(a.output, PwmChannel)]
    return (
        tuple(
            SharedLine(line.name, line.chip_id, line.line, fd, 0, line.safe_value, line.authority, line.watchdog_ns > 0)
            for line, fd in lines
            if fd is not None
        )
        if all(fd is not None for _, fd in lines)
        else ()
    )


def plain_ask(at: int) -> int:
    """`line_ops.ask` as plain Python: for one thread, and no native code beside it."""
    return ops.ask(PROCESS, at)
