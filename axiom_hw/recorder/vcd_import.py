"""A logic analyser's capture as a recording: the wires of a VCD file become edges of the board's inputs.

The edges are those that the kernel would have told of: only the ones that the board wants, debounced as it says,
numbered from 1, and turned round where a line is active low.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any, Final, cast

from axiom_hw.board import Board, EdgeDetection, InputLine
from axiom_hw.bpf.layout import Struct
from axiom_hw.errors import RecordingError
from axiom_hw.events import Edge, GpioEvent
from axiom_hw.keys import GpioKey
from axiom_hw.recorder.blocks import pack_header
from axiom_hw.recorder.entries import End, Entry, Event, Stopped, Value, What
from axiom_hw.recorder.header import Header, board_digest, current_layouts, pack, wires_of
from axiom_hw.recorder.stream import Stream

_PS: Final = {"s": 10**12, "ms": 10**9, "us": 10**6, "ns": 1000, "ps": 1, "fs": 0}
_WANTED: Final = {
    EdgeDetection.NONE: (),
    EdgeDetection.RISING: (Edge.RISING,),
    EdgeDetection.FALLING: (Edge.FALLING,),
    EdgeDetection.BOTH: (Edge.RISING, Edge.FALLING),
}


@dataclass(frozen=True, slots=True)
class Capture:
    """The wires of a VCD file: the levels of each with their times in ns, and when the capture ended."""

    levels: Mapping[str, tuple[tuple[int, int], ...]]
    end_ns: int


def read_vcd(stream: BufferedIOBase, name: str) -> Capture:
    """The one-bit variables of a file, by name. `x` and `z` leave a wire as it was. Raises `RecordingError`."""
    from vcd.reader import TokenKind, VCDParseError, tokenize

    names: dict[str, list[str]] = defaultdict(list)
    found: dict[str, list[tuple[int, int]]] = {}
    scopes: list[str] = []
    ps, now_ns = 1000, 0
    try:
        for token in tokenize(stream):
            data: Any = token.data
            match token.kind:
                case TokenKind.TIMESCALE:
                    unit = data.unit.value
                    ps = int(data.magnitude) * _PS[unit]
                    if not ps:
                        raise RecordingError(name, "counts femtoseconds; the finest unit that is read is 1 ps")
                case TokenKind.SCOPE:
                    scopes.append(data.ident)
                case TokenKind.UPSCOPE:
                    scopes.pop()
                case TokenKind.VAR if data.size == 1:
                    path = ".".join((*scopes, data.ref_str))
                    names[data.id_code].append(path)
                    found[path] = []
                case TokenKind.CHANGE_TIME:
                    now_ns = data * ps // 1000
                case TokenKind.CHANGE_SCALAR if data.value in ("0", "1"):
                    for path in names[data.id_code]:
                        found[path].append((now_ns, int(data.value)))
                case _:
                    pass
    except VCDParseError as error:
        raise RecordingError(name, f"is no VCD file that can be read: {error}", "export it again") from None
    return Capture({path: tuple(rows) for path, rows in found.items()}, now_ns)


def import_capture(capture: Capture, board: Board, wanted: Mapping[str, str], name: str, path: str) -> int:
    """Write a recording to `path`; how many edges it has. `wanted` maps wires of the capture to inputs of the board;
    where it is empty, wires that are named like inputs are taken. Raises `RecordingError`, `BoardError`."""
    from importlib.metadata import version  # here: it takes a while to load

    chosen = _chosen(capture, board, wanted, name)
    starts: list[Entry] = []
    events: list[Event] = []
    for wire, line in chosen.items():
        rows = capture.levels[wire]
        first = next((level for time_ns, level in rows if time_ns == 0), None)
        if first is not None:
            starts.append(Value(f"gpio/{line.chip_id}/line{line.line}", What.LEVEL, first ^ line.active_low, 0))
        events += _edges(rows, line)
    events.sort(key=lambda event: event.time_ns)
    header = Header(
        version("axiom-hw"), "virtual", 0, time.time_ns(), board.name, board_digest(board), _seed(name), "import",
        wires_of(board), current_layouts(),
    )  # fmt: skip
    end_ns = max(capture.end_ns, events[-1].time_ns if events else 0)
    stream = Stream(path, pack_header(pack(header)))
    try:
        for entry in (*starts, *events, Stopped(end_ns), End(end_ns, {}, {})):
            stream.add(entry)
    finally:
        stream.close()
    if stream.error is not None:
        raise stream.error
    return len(events)


def _chosen(capture: Capture, board: Board, wanted: Mapping[str, str], name: str) -> dict[str, InputLine]:
    if not wanted:
        inputs = {line.name: line for line in board.inputs}
        found = {path: inputs[short] for path in capture.levels if (short := path.rpartition(".")[2]) in inputs}
        if not found:
            raise RecordingError(
                name, f"has no wire that is named like an input of {board.name}; its wires are {_listed(capture)}",
                f"say which is which: --map D0={board.inputs[0].name if board.inputs else 'button'}",
            )  # fmt: skip
        return found
    chosen = {}
    for wire, line in wanted.items():
        paths = [path for path in capture.levels if wire in (path, path.rpartition(".")[2])]
        if len(paths) != 1:
            problem = f"is the name of {len(paths)} wires" if paths else "is no wire of one bit"
            raise RecordingError(f"{wire} in {name}", problem, f"the wires are {_listed(capture)}")
        chosen[paths[0]] = board.input(line)
    return chosen


def _edges(rows: tuple[tuple[int, int], ...], line: InputLine) -> Iterator[Event]:
    """What the kernel makes of levels: a level counts once it has lasted for the line's debounce time."""
    before = rows[0][1] if rows else 0
    if rows and rows[0][0] > 0:
        before = 1 - before  # it came from there
    seqno = 0
    for at, (time_ns, level) in enumerate(rows):
        until_ns = rows[at + 1][0] if at + 1 < len(rows) else None
        settled_ns = time_ns + line.debounce_ns
        if level == before or (until_ns is not None and until_ns <= settled_ns and line.debounce_ns):
            continue
        before = level
        value = level ^ line.active_low
        edge = Edge.RISING if value else Edge.FALLING
        if edge not in _WANTED[line.edges]:
            continue
        seqno += 1
        ctx = cast(Struct, GpioEvent(settled_ns, line.chip_id, line.line, edge, value, seqno, 0)).pack()
        yield Event(GpioKey(line.chip_id, line.line, edge), ctx, settled_ns, 0)


def _listed(capture: Capture) -> str:
    return ", ".join(capture.levels) or "none"


def _seed(name: str) -> int:
    """The random numbers of programs are the same each time that the capture is imported."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
