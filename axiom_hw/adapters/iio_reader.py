"""One sensor of the kernel's, read: its buffer or its values, scan by scan, to the hooks of its channels.

`iio.py` says when: in real time a thread serves a reader, in virtual time the scheduler and whoever moves the clock.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from axiom_hw.adapters import iio_record as record
from axiom_hw.adapters.feed import Feed
from axiom_hw.adapters.iio_state import set_up, state_bytes
from axiom_hw.backends.iio import Capture, Crossing, Crossings, IioBackend, Sensor, failed
from axiom_hw.board.iio import IioDevice, Trigger
from axiom_hw.bpf.maps.mem import Mem, load_u64, store_u64
from axiom_hw.errors import AxiomError, BackendError
from axiom_hw.keys import HookKey, IioKey, ScanKey
from axiom_hw.syscalls import PROCESS, address_of

BATCH: Final = 64  # scans a read
_BATCHES: Final = 16  # then somebody looks whether to go on: a fast sensor may never be empty

Fire = Callable[[HookKey, bytes], object]


@dataclass(frozen=True, slots=True)
class SensorCounters:
    """What became of the scans of one sensor, so far. A value that is read alone counts as a scan.

    `lost` is what the time stamps, or missed periods, tell; `failures` are readings that the device refused.
    """

    received: int
    lost: int
    failures: int


class Reader:
    """A declared sensor on its way to its hooks.

    Synchronization: one thread at a time; `counters`, `last` and `is_wanted` from any.
    """

    def __init__(
        self,
        number: int,
        declared: IioDevice,
        backend: IioBackend,
        fire: Fire,
        now_ns: Callable[[], int],
        on_trouble: Callable[[AxiomError], object],
    ) -> None:
        """Raises `BackendError` where the device can't be had, unless it is optional."""
        self.declared = declared
        self.number = number
        self._backend = backend
        self._fire = fire
        self._now_ns = now_ns
        self._on_trouble = on_trouble
        channels = range(len(declared.channels))
        self.keys: tuple[HookKey, ...] = (
            (ScanKey(number),) if declared.scan else tuple(IioKey(number, channel) for channel in channels)
        )
        self.state = Mem(bytearray(state_bytes(len(declared.channels))))
        self._at = address_of(self.state)
        self._ctx = Mem(bytearray(-(-record.SCAN_BYTES // 8) * 8))
        self._ctx_at = address_of(self._ctx)
        self._scan = Mem(bytearray(0))
        self.sensor: Sensor | None = None
        self.capture: Capture | None = None
        self.crossings: Crossings | None = None
        self.failures = 0
        self._owed = 0  # readings that failed since the last scan
        self._is_told = False
        try:
            self._open()
        except BackendError:
            if not declared.optional:
                raise

    @property
    def is_buffered(self) -> bool:
        """Whether the kernel fills a buffer, or its values are read one by one."""
        return self.declared.trigger is not Trigger.NONE

    @property
    def ticks(self) -> bool:
        """Whether something is to be done each period."""
        return self.declared.trigger in (Trigger.NONE, Trigger.SYSFS)

    @property
    def counters(self) -> SensorCounters:
        """What became of its scans."""
        return SensorCounters(load_u64(self.state, record.RECEIVED), load_u64(self.state, record.LOST), self.failures)

    def last(self, channel: int) -> int | None:
        """The last value of a channel, in millionths of its unit; None before the first."""
        row = record.row_of(0, channel)
        if not load_u64(self.state, row + record.SEEN):
            return None
        micro = load_u64(self.state, row + record.MICRO)
        return micro - (1 << 64) if micro >> 63 else micro

    def begin(self) -> bool:
        """Open what isn't open, and let it fill. Whether it does; if not, `on_trouble` was told, once."""
        try:
            sensor = self._open()
            if self.is_buffered and self.capture is None:
                self.capture = sensor.capture()
                self._know(sensor, self.capture)
            if self.declared.thresholds and self.crossings is None:
                self.crossings = sensor.crossings()
        except BackendError as error:
            self.give_up(error)
            return False
        self._is_told = False
        return True

    def end(self) -> None:
        """Let it fill no more."""
        for part in (self.capture, self.crossings):
            if part is not None:
                part.close()
        self.capture = self.crossings = None

    def close(self) -> None:
        """Give the device back."""
        self.end()
        if self.sensor is not None:
            self.sensor.close()
            self.sensor = None

    def give_up(self, error: BackendError) -> None:
        """A device that failed: to be tried again by `begin`."""
        self.close()
        store_u64(self.state, record.TIME, 0)  # how long it was away is no loss of scans that it had
        if not self._is_told:
            self._is_told = True
            self._on_trouble(error)

    def filenos(self) -> tuple[int, ...]:
        """What polls readable when `drain` has something to do."""
        return tuple(part.fileno() for part in (self.capture, self.crossings) if part is not None)

    def tick(self, overruns: int) -> bool:
        """What is due each period, after so many that were missed: read, or fire the trigger. False: it's gone."""
        try:
            if self.capture is not None:
                self.capture.fire()
                return True
            return self._read(overruns)
        except BackendError as error:
            self.give_up(error)
            return False

    def drain(self) -> int | None:
        """Fire what is there now, and say how many events that were; None when the device is gone. Never waits."""
        fired = 0
        try:
            for _ in range(_BATCHES if self.capture is not None else 0):
                assert self.capture is not None
                data = self.capture.read(BATCH)
                if not data:
                    break
                fired += self._deliver(data, self.capture.format.size)
            if self.crossings is not None:
                for crossing in self.crossings.read():
                    self._cross(crossing)
                    fired += 1
        except BackendError as error:
            self.give_up(error)
            return None
        return fired

    def feed(self) -> Feed | None:
        """The buffer, for native code; None where Python is needed."""
        if self.capture is None or self.crossings is not None or self.ticks:
            return None
        fd = self.capture.descriptor()
        if fd is None:
            return None
        place = f"{self.declared.subsystem.value} {self.declared.name}"
        return Feed(
            fd, self.state, (), self.keys, lambda: False, lambda number: failed(place, "has no readable scans", number),
            is_scans=True, record_bytes=self.capture.format.size,
            ctx_bytes=record.SCAN_BYTES if self.declared.scan else record.IIO_BYTES,
        )  # fmt: skip

    def _open(self) -> Sensor:
        if self.sensor is None:
            self.sensor = self._backend.open(self.declared)
            if not self.is_buffered:
                set_up(self.state, self.number, None, self.sensor.units, 0, one_event=self.declared.scan)
        return self.sensor

    def _know(self, sensor: Sensor, capture: Capture) -> None:
        period_ns = capture.period_ns if capture.monotonic else 0
        set_up(
            self.state, self.number, capture.format, sensor.units, period_ns,
            one_event=self.declared.scan, steady=self.declared.trigger is Trigger.HRTIMER,
        )  # fmt: skip
        if not capture.monotonic:  # realtime jumps: the time of the reading is less wrong
            store_u64(self.state, record.STAMP, record.NO_STAMP)

    def _read(self, overruns: int) -> bool:
        """Each channel once, as one scan."""
        sensor = self.sensor
        assert sensor is not None
        try:
            raws = [sensor.read(channel) for channel in range(len(self.declared.channels))]
        except BackendError as error:
            if error.errno in (errno.ENODEV, errno.ENOENT, errno.EACCES):
                raise
            self.failures += 1
            self._owed += 1 + overruns
            if not self._is_told:
                self._is_told = True
                self._on_trouble(error)
            return True
        self._is_told = False
        lost, self._owed = overruns + self._owed, 0
        record.note_time(PROCESS, self._at, self._now_ns(), lost)
        if self.declared.scan:
            record.begin_scan(PROCESS, self._at, self._ctx_at)
            for channel, raw in enumerate(raws):
                record.scan_value(PROCESS, self._at, channel, raw, self._ctx_at)
            self._fire(self.keys[0], bytes(self._ctx.u8[: record.SCAN_BYTES]))
            return True
        for channel, raw in enumerate(raws):
            record.sample(PROCESS, self._at, channel, raw, self._ctx_at)
            self._fire(self.keys[channel], bytes(self._ctx.u8[: record.IIO_BYTES]))
        return True

    def _deliver(self, data: bytes, size: int) -> int:
        """Scans from the buffer."""
        if self._scan.size < len(data):
            self._scan = Mem(bytearray(-(-len(data) // 8) * 8))
        self._scan.u8[: len(data)] = data
        begin, fired = address_of(self._scan), 0
        for at in range(begin, begin + len(data) - size + 1, size):
            record.note_scan(PROCESS, self._at, at, self._now_ns())
            if self.declared.scan:
                record.convert_scan(PROCESS, at, self._at, self._ctx_at)
                self._fire(self.keys[0], bytes(self._ctx.u8[: record.SCAN_BYTES]))
                fired += 1
                continue
            for channel, key in enumerate(self.keys):
                record.convert_sample(PROCESS, at, self._at, channel, self._ctx_at)
                self._fire(key, bytes(self._ctx.u8[: record.IIO_BYTES]))
                fired += 1
        return fired

    def _cross(self, crossing: Crossing) -> None:
        """A device's own event, which has no value: that of the channel now, or its last one while a buffer runs."""
        assert self.sensor is not None
        try:
            raw = self.sensor.read(crossing.channel)
        except BackendError as error:
            if error.errno != errno.EBUSY:
                raise
        else:
            record.note_raw(PROCESS, self._at, crossing.channel, raw)
        record.crossing(PROCESS, self._at, crossing.channel, crossing.timestamp_ns, self._ctx_at)
        key = IioKey(self.number, crossing.channel, crossing.edge)
        self._fire(key, bytes(self._ctx.u8[: record.IIO_BYTES]))
