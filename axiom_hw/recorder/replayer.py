"""The tap that replays: brings the events of a recording at their times, and tells programs what they read."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from axiom_hw.actuation import Guard
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.replay_gpio import PlayedEdge, ReplayChip, ReplayGpio
from axiom_hw.bpf.layout import Struct
from axiom_hw.bpf.maps import Map, RingBuf
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError, RecordingError
from axiom_hw.events import Edge, GpioEvent
from axiom_hw.keys import GpioKey, HookKey, TimerKey
from axiom_hw.recorder.digests import map_digest, map_name, program_digest
from axiom_hw.recorder.entries import Event, Program, Stopped, Value, What
from axiom_hw.recorder.header import current_layouts
from axiom_hw.recorder.hook_names import key_of, layout_of
from axiom_hw.recorder.reading import Recording
from axiom_hw.recorder.tap import Attached, Bench, ReadLine
from axiom_hw.recorder.watched_gpio import WatchedGpio
from axiom_hw.slots import Slot

_SOMEBODY: Final = "the recording"

Pace = Callable[[int], object]
"""Called with the time of an event before it comes: returns when that is due in real time."""


@dataclass(frozen=True, slots=True)
class Step:
    """An event that comes from outside, and what programs read while it was dispatched."""

    event: Event
    reads: tuple[Value, ...]
    stop: Value | None = None  # the emergency stop was latched or released by somebody before it


def steps_of(recording: Recording) -> tuple[Step, ...]:
    """What is to be fed. Consequences of programs aren't: they come by themselves."""
    found: list[tuple[Event, list[Value], Value | None]] = []
    stop: Value | None = None
    for entry in recording.entries:
        match entry:
            case Event(is_caused=False):
                found.append((entry, [], stop))
                stop = None
            case Value(what=What.STOP):
                stop = entry
            case Value(what=What.READ) if found:
                found[-1][1].append(entry)
            case Stopped():
                break
            case _:
                pass
    return tuple(Step(event, tuple(reads), stop) for event, reads, stop in found)


class Replayer:
    """Feeds a recording to a runtime on a virtual clock that starts at the recording's `start_ns`.

    `gpio` holds the inputs: they have the values that the recording tells of. With `through_lines` edges take the way
    of a real one, over the lines of `gpio` and the adapter; without, contexts are dispatched as they were recorded.
    `pace` is waited on before each event; `stepped` is called after each.

    Synchronization: as `Tap` says; events come in the thread that moves the clock.
    """

    is_replay: Final = True

    def __init__(
        self,
        recording: Recording,
        clock: VirtualClock,
        gpio: ReplayGpio | None,
        *,
        through_lines: bool = False,
        pace: Pace | None = None,
        stepped: Callable[[], object] | None = None,
    ) -> None:
        """Raises `RecordingError` where the recording's contexts aren't those of this version."""
        _check_layouts(recording)
        self.recording = recording
        self.caused: list[Event] = []  # what programs raised
        self.written: list[Value] = []  # to outputs
        self.changed = 0  # contexts that the adapter made otherwise than they were recorded
        self.fed = 0
        self.programs: list[Program] = []
        self._maps: dict[str, Map] = {}
        self._clock = clock
        self._chips: tuple[ReplayChip, ...] = gpio.chips if gpio is not None else ()
        self._through_lines = through_lines
        self._pace = pace
        self._stepped = stepped
        self._steps = steps_of(recording)
        self._at = 0
        self._timers = _recorded_timers(recording)
        self._bench: Bench | None = None
        self._slots: tuple[Slot, ...] = ()
        self._step: Step | None = None  # whose edge is on its way through the lines
        self._known: dict[str, int] = {}
        self._reads: deque[Value] = deque()
        self._after = 0
        self._inside = False
        self._guard: Guard | None = None
        self._seqnos: dict[tuple[int, int], int] = {}

    def connect(self, bench: Bench) -> None:
        """See `Tap.connect`."""
        self._bench = bench
        self._slots = tuple(bench.slots)

    def gpio(self, backend: GpioBackend) -> GpioBackend:
        """See `Tap.gpio`: the backend, watched."""
        board = self._bench.board if self._bench is not None else None
        assert board is not None, "lines are opened on a board"
        chips = {chip.label: number for number, chip in enumerate(board.chips)}

        def wrote(label: str, offset: int, value: int) -> None:
            what = What.WRITTEN if self._inside else What.SET
            self.written.append(Value(f"gpio/{chips[label]}/line{offset}", what, value, self.now_ns()))

        return WatchedGpio(backend, lambda *_: None, wrote)

    def guarded(self, guard: Guard) -> None:
        """See `Tap.guarded`."""
        self._guard = guard

    def fire(self, key: HookKey, ctx: bytes) -> None:
        """See `Tap.fire`."""
        assert self._bench is not None, "connected"
        slot = self._bench.slots.claim()
        if slot.epoch:
            self.caused.append(Event(key, ctx, self.now_ns(), slot.index, is_caused=True))
            self._bench.executor.fire(key, ctx)
            return
        step, self._step = self._step, None
        if step is None or step.event.key != key:
            if isinstance(key, TimerKey):  # one that wasn't recorded
                self._dispatch(key, ctx, slot.index, ())
            return  # anything else is in the recording too, and comes from there
        self.changed += ctx != step.event.ctx
        self._dispatch(key, ctx, step.event.slot, step.reads)

    def now_ns(self) -> int:
        """See `Tap.now_ns`: the clock stands at the time of the event."""
        return self._clock.now_ns()

    def read_input(self, chip_id: int, line: int, read: ReadLine) -> int:
        """See `Tap.read_input`: what was read then. A line that wasn't read then has the value of its last edge."""
        if not self._inside:
            return read(chip_id, line)
        wire = f"gpio/{chip_id}/line{line}"
        if self._reads and self._reads[0].wire == wire and self._reads[0].after == self._after:
            self._take(self._reads.popleft())
            self._after = 0
        else:
            self._after += 1
        value = self._known.get(wire)
        if value is None:
            return read(chip_id, line)
        if value < 0:
            raise BackendError(wire, "couldn't be read when this was recorded", errno=-value)
        return value

    def timer(self, period_ns: int) -> TimerKey | None:
        """See `Tap.timer`: of the timers that were recorded, the next one of that period."""
        left = self._timers.get(period_ns)
        return left.popleft() if left else None

    def attached(self, program: Attached) -> None:
        """See `Tap.attached`."""
        spec = program.verified.spec
        maps = {map_name(spec.name, one.spec.name): one for one in program.maps}
        self._maps.update(maps)
        digests = {name: map_digest(one) for name, one in maps.items()}
        keys = tuple(map(str, program.keys))
        self.programs.append(Program(spec.name, program.section, program_digest(spec), keys, program.priority, digests))

    def digests(self) -> Mapping[str, str]:
        """Of what the maps of programs hold now, by the names that a recording has for them."""
        return {name: map_digest(one) for name, one in self._maps.items() if not isinstance(one, RingBuf)}

    def start(self) -> None:
        """See `Tap.start`."""
        self._clock.drive(self)

    def stop(self) -> None:
        """See `Tap.stop`."""
        self._clock.release(self)

    def close(self) -> None:
        """See `Tap.close`."""
        self._clock.release(self)

    # driven by the clock

    def next_due_ns(self) -> int | None:
        """When the next event comes; None behind the last."""
        if self._at == len(self._steps):
            return None
        return max(self._steps[self._at].event.time_ns, self._clock.now_ns())

    def run_due(self) -> int:
        """Bring one event: what it causes is over before the next."""
        step = self._steps[self._at]
        self._at += 1
        event = step.event
        if self._pace is not None:
            self._pace(event.time_ns)
        self.fed += 1
        self._bring_stop(step)
        key = event.key
        if isinstance(key, GpioKey) and self._play(step, key):
            return 1  # the adapter brings it
        self._dispatch(key, event.ctx, event.slot, step.reads)
        return 1

    def _bring_stop(self, step: Step) -> None:
        if self._guard is None or step.stop is None or self._guard.is_stopped == bool(step.stop.value):
            return
        if step.stop.value:
            self._guard.emergency_stop("as it was recorded", _SOMEBODY)
        else:
            self._guard.release_stop(_SOMEBODY)

    def _play(self, step: Step, key: GpioKey) -> bool:
        """Bring the line to its value; whether the edge itself takes the way over the line."""
        self._known[f"gpio/{key.chip_id}/line{key.line}"] = int(key.edge is Edge.RISING)
        if key.chip_id >= len(self._chips):
            return False
        chip = self._chips[key.chip_id]
        if not self._through_lines:
            chip.set_value(key.line, int(key.edge is Edge.RISING))
            return False
        found = cast(GpioEvent, cast(type[Struct], GpioEvent).unpack(step.event.ctx))
        last = self._seqnos.get((key.chip_id, key.line), 0)
        self._seqnos[key.chip_id, key.line] = found.seqno
        if found.seqno == last:  # no edge, but what the adapter found out after a loss
            chip.set_value(key.line, found.value)
            return False
        self._step = step
        if chip.play(PlayedEdge(key.line, key.edge, found.timestamp_ns, found.seqno)):
            return True
        self._step = None
        return False

    def _dispatch(self, key: HookKey, ctx: bytes, slot: int, reads: tuple[Value, ...]) -> None:
        assert self._bench is not None, "connected"
        local = self._bench.slots.local
        own = self._bench.slots.claim()
        self._reads, self._after, self._inside = deque(reads), 0, True
        local.slot = self._slots[slot] if slot < len(self._slots) else own
        try:
            self._bench.executor.fire(key, ctx)
        finally:
            local.slot = own
            self._inside = False
            for read in self._reads:  # not asked for by these programs, but true all the same
                self._take(read)
        if self._stepped is not None:
            self._stepped()

    def _take(self, read: Value) -> None:
        self._known[read.wire] = read.value
        _, chip, line = read.wire.split("/")
        if read.value >= 0 and int(chip) < len(self._chips):
            self._chips[int(chip)].set_value(int(line.removeprefix("line")), read.value)


def values_at_start(recording: Recording) -> Mapping[tuple[int, int], int]:
    """The values of inputs when the recording began, by chip and line."""
    found: dict[tuple[int, int], int] = {}
    for value in recording.values:
        if value.what is What.LEVEL:
            _, chip, line = value.wire.split("/")
            found[int(chip), int(line.removeprefix("line"))] = value.value
    return found


def _recorded_timers(recording: Recording) -> dict[int, deque[TimerKey]]:
    """By period, in the order in which they were started: programs started in the same order get the same ones."""
    keys: dict[TimerKey, None] = {}
    for entry in recording.entries:
        match entry:
            case Program():
                keys.update(dict.fromkeys(key for text in entry.keys if isinstance(key := key_of(text), TimerKey)))
            case Event(key=TimerKey() as key):
                keys[key] = None
            case _:
                pass
    found: defaultdict[int, deque[TimerKey]] = defaultdict(deque)
    for key in sorted(keys, key=lambda key: key.id):
        found[key.period_ns].append(key)
    return found


def _check_layouts(recording: Recording) -> None:
    now = current_layouts()
    for name in {layout_of(event.key).name for event in recording.events}:
        then = recording.header.layouts.get(name)
        if then is None or (then.size, then.fields) != (now[name].size, now[name].fields):
            raise RecordingError(
                recording.name,
                f"was made by axiom_hw {recording.header.version}, where a {name} was laid out otherwise",
                "replay it with that version; `axiom-hw export` reads it here too",
            )  # fmt: skip
