"""A recording through programs once more: what their maps hold then, what records and outputs they make.

outcome = replay(read_recording("a.axr"), app, board, Engine.LLVM)
assert not differences_to_record(recording, outcome)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from axiom_hw.backends.replay_gpio import ReplayGpio
from axiom_hw.bench import MockBench
from axiom_hw.board import Board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.layout import Layout, Struct
from axiom_hw.bpf.maps import Map, RingBuf
from axiom_hw.clock import MonotonicClock, VirtualClock
from axiom_hw.engines import open_cache
from axiom_hw.errors import Fault
from axiom_hw.events import PwmEvent
from axiom_hw.hooks import Attachment, Link
from axiom_hw.keys import PwmKey
from axiom_hw.recorder.digests import map_digest
from axiom_hw.recorder.entries import Entry, Event, Program, Value, What
from axiom_hw.recorder.header import Header
from axiom_hw.recorder.reading import Recording, read_recording
from axiom_hw.recorder.replayer import Pace, Replayer, values_at_start
from axiom_hw.runtime import Runtime
from axiom_hw.scheduler import Scheduler
from axiom_hw.sources import Devices


class Attachable(Protocol):
    """What has programs to attach: an `App`."""

    @property
    def maps(self) -> dict[str, Map]: ...

    def attach(self, runtime: Runtime) -> tuple[Link, ...]: ...

    def record_layout(self, ring: str) -> Layout | None: ...


@dataclass(frozen=True, slots=True)
class MapContent:
    """What a map holds at the end, in the order of its keys."""

    name: str
    digest: str
    entries: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class RingContent:
    """The records that came out of a ring, with the time of each; `layout` where the application declares one."""

    name: str
    records: tuple[tuple[int, bytes], ...]
    dropped: int
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What a program drove an output to: 0 or 1, or a duty in ns (-1: switched off)."""

    time_ns: int
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Runs:
    """What became of one program's runs; `returned` has r0 of each that ended without a fault."""

    name: str
    section: str
    returned: tuple[int, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What programs made of a recording. `fed` events came; `changed` contexts weren't as they were recorded."""

    fed: int
    changed: int
    programs: tuple[Program, ...]
    runs: tuple[Runs, ...]
    maps: tuple[MapContent, ...]
    rings: tuple[RingContent, ...]
    outputs: tuple[Output, ...]
    caused: tuple[Event, ...]
    digests: Mapping[str, str]  # of maps, by the names that a recording has for them


def replay(
    recording: Recording,
    programs: Attachable,
    board: Board | None,
    engine: Engine = Engine.AUTO,
    *,
    real_time: bool = False,
    cache: bool = True,
) -> Outcome:
    """Feed a recording to programs, in virtual time, or with the pauses that it had.

    Raises `RecordingError` for contexts of another version, `HookError` for a program whose hook the board lacks.
    """
    run = _Run(recording, board, engine, real_time=real_time, cache=cache)
    try:
        run.attach(programs)
        run.play()
    finally:
        run.runtime.close()
    return run.outcome(programs)


def real_pace(recording: Recording) -> Pace:
    """Waits for the time of each event, counted from now."""
    clock, never = MonotonicClock(), threading.Event()
    ahead_ns = clock.now_ns() - recording.header.start_ns
    return lambda time_ns: clock.wait_until(time_ns + ahead_ns, never)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recording as a bench: its clock, devices whose inputs are the recorded ones, and the tap that brings events."""

    recording: Recording
    clock: VirtualClock
    tap: Replayer
    bench: MockBench | None
    devices: Devices | None
    scheduler: Scheduler | None

    @classmethod
    def open(
        cls, file: str | Recording, board: Board | None, *, through_lines: bool = False, real_time: bool = False,
        stepped: Callable[[], object] | None = None,
    ) -> Replayed:  # fmt: skip
        """Of a file or what was read of it. Raises `RecordingError`."""
        recording = read_recording(file) if isinstance(file, str) else file
        clock = VirtualClock(recording.header.start_ns)
        bench = MockBench(board, clock) if board is not None else None
        gpio = ReplayGpio(bench.board, bench.gpio, values_at_start(recording)) if bench is not None else None
        pace = real_pace(recording) if real_time else None
        tap = Replayer(recording, clock, gpio, through_lines=through_lines, pace=pace, stepped=stepped)
        if bench is None or gpio is None:
            return cls(recording, clock, tap, None, None, None)
        return cls(recording, clock, tap, bench, replace(bench.devices, gpio=gpio), bench.scheduler)


class _Run:
    """One replay, from its devices to its outcome."""

    def __init__(
        self, recording: Recording, board: Board | None, engine: Engine, *, real_time: bool, cache: bool
    ) -> None:
        found = Replayed.open(recording, board, real_time=real_time, stepped=self._drain)
        self.recording, self.tap, self.clock = found.recording, found.tap, found.clock
        self._links: list[Link] = []
        self._returned: dict[Link, list[int]] = {}
        self._faults: dict[Link, list[str]] = {}
        self._rings: dict[str, RingBuf] = {}
        self._records: dict[str, list[tuple[int, bytes]]] = {}
        self.runtime = Runtime(
            board, found.clock, found.devices, scheduler=found.scheduler, seed=recording.header.seed, engine=engine,
            cache=open_cache(cache), on_fault=self._faulted, tap=self.tap,
        )  # fmt: skip

    def attach(self, programs: Attachable) -> None:
        """Let them run on their hooks, on the engine that was asked for from the first event on."""
        self._links = list(programs.attach(self.runtime))
        self._rings = {name: one for name, one in programs.maps.items() if isinstance(one, RingBuf)}
        self._records = {name: [] for name in self._rings}
        self.runtime.loader.settle()
        for link in self._links:
            self._returned[link], self._faults[link] = [], []
            _note_returns(link.attachment, self._returned[link])

    def play(self) -> None:
        """Bring all events, and let time pass until the recorded run ended."""
        self.runtime.start()
        self.clock.advance_to(max(self.recording.end_ns, self.clock.now_ns()))
        self._drain()

    def outcome(self, programs: Attachable) -> Outcome:
        """What came of it."""
        names = self.recording.header
        maps = tuple(_content(name, one) for name, one in programs.maps.items() if not isinstance(one, RingBuf))
        rings = tuple(
            RingContent(name, tuple(self._records[name]), ring.dropped, programs.record_layout(name))
            for name, ring in self._rings.items()
        )
        runs = tuple(
            Runs(link.program.name, spec.section, tuple(self._returned[link]), tuple(self._faults[link]))
            for link, spec in zip(self._links, self.tap.programs, strict=True)
        )
        entries: list[Entry] = [*self.tap.written, *self.tap.caused]
        return Outcome(
            self.tap.fed, self.tap.changed, tuple(self.tap.programs), runs, maps, rings,
            outputs_of(entries, names), tuple(self.tap.caused), self.tap.digests(),
        )  # fmt: skip

    def _drain(self) -> None:
        now_ns = self.clock.now_ns()
        for name, ring in self._rings.items():
            while (record := ring.consume()) is not None:
                self._records[name].append((now_ns, record))

    def _faulted(self, link: Link, fault: Fault) -> None:
        self._faults[link].append(str(fault))


def outputs_of(entries: Sequence[Entry], header: Header) -> tuple[Output, ...]:
    """What programs drove outputs to, lines and PWM channels, in the order of time."""
    found = []
    for entry in entries:
        match entry:
            case Value(what=What.WRITTEN):
                found.append(Output(entry.time_ns, header.name_of(entry.wire), entry.value))
            case Event(key=PwmKey() as key, is_caused=True):
                state = cast(PwmEvent, cast(type[Struct], PwmEvent).unpack(entry.ctx))
                found.append(Output(entry.time_ns, header.name_of(str(key)), state.duty_ns if state.enabled else -1))
            case _:
                pass
    return tuple(sorted(found, key=lambda output: output.time_ns))


def differences_to_record(recording: Recording, outcome: Outcome) -> tuple[str, ...]:
    """Where a replay isn't what was recorded, as sentences; none where it is identical, as far as the file tells."""
    found: list[str] = []
    if not recording.programs:
        return ()  # of a capture: no program ran
    then = [event for event in recording.events if event.is_caused]
    pairs = [(event.key, event.ctx, event.time_ns) for event in then]
    again = [(event.key, event.ctx, event.time_ns) for event in outcome.caused]
    if pairs != again:
        found.append(f"programs raised {len(again)} events; when it was recorded, {len(pairs)}, or others")
    outputs = outputs_of(recording.entries, recording.header)
    if outputs != outcome.outputs:
        found.append(_first_difference(outputs, outcome.outputs))
    end = recording.end
    digests = outcome.digests
    known = end.maps if end is not None else {}
    for name, digest in known.items():
        if name in digests and digests[name] != digest:
            found.append(f"map {name} ends with other contents than when it was recorded")
    if outcome.changed:
        found.append(f"{outcome.changed} contexts came out of the adapters otherwise than they were recorded")
    return tuple(found)


def doubts(recording: Recording, outcome: Outcome) -> tuple[str, ...]:
    """Reasons for which a replay may differ from the recorded run, as sentences."""
    found: list[str] = []
    if not recording.programs:
        return ("no program ran when this was recorded: there is nothing to compare with",)
    then, now = {p.name: p for p in recording.programs}, {p.name: p for p in outcome.programs}
    for name, program in now.items():
        before = then.get(name)
        if before is None:
            found.append(f"{name} didn't run when this was recorded")
        elif before.digest != program.digest:
            found.append(f"{name} isn't the program that was recorded, or was compiled otherwise")
        elif any(before.maps.get(one, digest) != digest for one, digest in program.maps.items()):
            others = ", ".join(one for one, digest in program.maps.items() if before.maps.get(one, digest) != digest)
            found.append(f"{name} began with other contents of {others}")
    found += [f"{name} was recorded, and doesn't run here" for name in then if name not in now]
    end = recording.end
    if end is not None:
        found += [
            f"ring {name} was full {ring.dropped} times when this was recorded; in a replay none is"
            for name, ring in end.rings.items()
            if ring.dropped
        ]
    return tuple(found)


def _first_difference(then: Sequence[Output], now: Sequence[Output]) -> str:
    at = next((i for i, (a, b) in enumerate(zip(then, now, strict=False)) if a != b), min(len(then), len(now)))
    told = [f"{row[at].name} = {row[at].value} at {row[at].time_ns} ns" if at < len(row) else "nothing"
            for row in (then, now)]  # fmt: skip
    return f"output number {at + 1}: {told[1]} here, {told[0]} when it was recorded"


def _content(name: str, found: Map) -> MapContent:
    assert not isinstance(found, RingBuf), "rings have records"
    return MapContent(name, map_digest(found), tuple(sorted(found.entries())))


def _note_returns(attachment: Attachment, returned: list[int]) -> None:
    run = attachment.run
    assert run is not None, "attached just now"
    attachment.run = _noting(run, returned)


def _noting(run: Callable[[bytes, int], int], returned: list[int]) -> Callable[[bytes, int], int]:
    def noted(ctx: bytes, slot: int) -> int:
        result = run(ctx, slot)
        returned.append(result)
        return result

    return noted


__all__ = [
    "MapContent",
    "Outcome",
    "Output",
    "Replayed",
    "RingContent",
    "Runs",
    "differences_to_record",
    "doubts",
    "outputs_of",
    "real_pace",
    "replay",
]
