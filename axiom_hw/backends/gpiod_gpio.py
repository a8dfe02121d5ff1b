"""The real GPIO backend: the character device through gpiod 2, chips found by label, kernel time stamps.

The chip's number is never used: `pinctrl-rp1` has been gpiochip4, gpiochip0 and gpiochip11 on one and the same board.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from axiom_hw.backends.gpio import (
    MAX_EVENT_BUFFER,
    LineEvent,
    LineInput,
    LineOutput,
    check_request,
    check_value,
    line_busy,
    no_such_chip,
    not_an_output,
    not_requested,
    released,
)
from axiom_hw.board import Bias, Drive, EdgeDetection
from axiom_hw.errors import BackendError, MissingDependency
from axiom_hw.events import Edge

try:
    import gpiod
    from gpiod.line import Bias as GpiodBias
    from gpiod.line import Clock, Direction, Value
    from gpiod.line import Drive as GpiodDrive
    from gpiod.line import Edge as GpiodEdge
except ImportError as error:
    raise MissingDependency(
        "GPIO on a real chip",
        f"needs the package gpiod, which can't be imported ({error})",
        "`pip install 'gpiod>=2.1'` on Linux, or run with --mock",
    ) from error

_BIAS: Final = {
    Bias.AS_IS: GpiodBias.AS_IS,
    Bias.DISABLED: GpiodBias.DISABLED,
    Bias.PULL_UP: GpiodBias.PULL_UP,
    Bias.PULL_DOWN: GpiodBias.PULL_DOWN,
}
_EDGES: Final = {
    EdgeDetection.NONE: GpiodEdge.NONE,
    EdgeDetection.RISING: GpiodEdge.RISING,
    EdgeDetection.FALLING: GpiodEdge.FALLING,
    EdgeDetection.BOTH: GpiodEdge.BOTH,
}
_DRIVE: Final = {
    Drive.PUSH_PULL: GpiodDrive.PUSH_PULL,
    Drive.OPEN_DRAIN: GpiodDrive.OPEN_DRAIN,
    Drive.OPEN_SOURCE: GpiodDrive.OPEN_SOURCE,
}
_Config = dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]

_VALUE: Final = (Value.INACTIVE, Value.ACTIVE)
_FIXES: Final = {
    errno.EACCES: "add yourself to the group that owns it, and log in again: sudo usermod -aG gpio $USER",
    errno.EPERM: "add yourself to the group that owns it, and log in again: sudo usermod -aG gpio $USER",
    errno.ENODEV: "was the chip unplugged, or its driver removed? `gpiodetect` lists what is there",
    errno.E2BIG: "the kernel takes 10 differing settings in a request: give more lines the same bias and debounce",
}


class GpiodBackend:
    """Chips under /dev. `dev` and `open_chip` are there for tests.

    Synchronization: none required by the caller.
    """

    def __init__(
        self,
        dev: Path = Path("/dev"),
        open_chip: Callable[[str], gpiod.Chip] = gpiod.Chip,
        is_chip: Callable[[str], bool] = gpiod.is_gpiochip_device,
    ) -> None:
        self._dev = dev
        self._open_chip = open_chip
        self._is_chip = is_chip

    def open(self, label: str) -> GpiodChip:
        """See `GpioBackend.open`. Opens each chip in turn; links to one and the same device count once."""
        present, refused = [], []
        found: GpiodChip | None = None
        for path in self._paths():
            try:
                chip = self._open_chip(str(path))
            except PermissionError:
                refused.append(str(path))
                continue
            except OSError as error:
                raise _failed(str(path), "can't be opened", error) from error
            info = chip.get_info()
            present.append(info.label)
            if info.label != label or found is not None:
                chip.close()
            if info.label == label:
                if found is not None:
                    found.close()
                    raise BackendError(
                        f"chip {label}",
                        "is there twice, so the label doesn't say which one is meant",
                        "remove one of them; `gpiodetect` lists both",
                        errno.EINVAL,
                    )
                found = GpiodChip(chip, label, info.num_lines)
        if found is not None:
            return found
        if refused:
            raise BackendError(
                f"chip {label}", f"may be one of {', '.join(refused)}, which may not be opened", _FIXES[errno.EACCES],
                errno.EACCES,
            )  # fmt: skip
        raise no_such_chip(label, present)

    def _paths(self) -> Iterator[Path]:
        seen = set()
        for path in sorted(self._dev.glob("gpiochip*")):
            if not self._is_chip(str(path)):
                continue
            status = os.stat(path)
            device = (status.st_rdev,) if stat.S_ISCHR(status.st_mode) else (status.st_dev, status.st_ino)
            if device not in seen:  # udev links gpiochip4 to gpiochip0 on a Pi 5
                seen.add(device)
                yield path


class GpiodChip:
    """An open chip.

    Synchronization: none required by the caller; gpiod's chip object is used under a lock.
    """

    def __init__(self, chip: gpiod.Chip, label: str, num_lines: int) -> None:
        self._chip = chip
        self._label = label
        self._num_lines = num_lines
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """See `GpioChip.label`."""
        return self._label

    def request_inputs(self, lines: Sequence[LineInput], consumer: str, event_buffer_size: int = 0) -> GpiodRequest:
        """See `GpioChip.request_inputs`."""
        settings: _Config = {
            line.offset: gpiod.LineSettings(
                direction=Direction.INPUT,
                edge_detection=_EDGES[line.edges],
                bias=_BIAS[line.bias],
                active_low=line.active_low,
                debounce_period=timedelta(microseconds=line.debounce_ns // 1000),
                event_clock=Clock.MONOTONIC,
            )
            for line in lines
        }
        return self._request([line.offset for line in lines], settings, consumer, event_buffer_size, outputs=False)

    def request_outputs(self, lines: Sequence[LineOutput], consumer: str) -> GpiodRequest:
        """See `GpioChip.request_outputs`."""
        for line in lines:
            check_value(self._label, line.offset, line.value)
        settings: _Config = {
            line.offset: gpiod.LineSettings(
                direction=Direction.OUTPUT,
                drive=_DRIVE[line.drive],
                active_low=line.active_low,
                output_value=_VALUE[line.value],
            )
            for line in lines
        }
        return self._request([line.offset for line in lines], settings, consumer, 0, outputs=True)

    def close(self) -> None:
        """See `GpioChip.close`."""
        with self._lock:
            self._chip.close()

    def _request(
        self,
        offsets: list[int],
        settings: _Config,
        consumer: str,
        event_buffer_size: int,
        outputs: bool,
    ) -> GpiodRequest:
        check_request(self._label, self._num_lines, offsets)
        size = min(event_buffer_size, MAX_EVENT_BUFFER)
        with self._lock:
            try:
                made = self._chip.request_lines(config=settings, consumer=consumer, event_buffer_size=size or None)
            except OSError as error:
                if error.errno == errno.EBUSY:
                    raise self._busy(offsets) from error
                raise _failed(
                    f"lines {', '.join(map(str, offsets))} of {self._label}", "can't be requested", error
                ) from error
        return GpiodRequest(made, self._label, tuple(offsets), outputs)

    def _busy(self, offsets: list[int]) -> BackendError:
        for offset in offsets:
            info = self._chip.get_line_info(offset)
            if info.used:
                return line_busy(self._label, offset, info.consumer)
        return line_busy(self._label, offsets[0], "")  # let go of in between


class GpiodRequest:
    """Lines of a chip that are ours until `release`.

    Synchronization: as `GpioRequest` says. Values go through one ioctl each, which the kernel orders; `release`
    must not run beside another call.
    """

    def __init__(self, request: gpiod.LineRequest, label: str, offsets: tuple[int, ...], outputs: bool) -> None:
        self._request = request
        self._label = label
        self._offsets = offsets
        self._outputs = outputs
        self._poll = select.poll()
        self._poll.register(request.fd, select.POLLIN)

    @property
    def offsets(self) -> tuple[int, ...]:
        """See `GpioRequest.offsets`."""
        return self._offsets

    def get(self, offset: int) -> int:
        """See `GpioRequest.get`."""
        self._check(offset)
        with self._errors(offset, "can't be read"):
            return int(self._request.get_value(offset) is Value.ACTIVE)

    def set(self, offset: int, value: int) -> None:
        """See `GpioRequest.set`."""
        check_value(self._label, offset, value)
        self._check(offset)
        if not self._outputs:
            raise not_an_output(self._label, offset)
        with self._errors(offset, f"can't be set to {value}"):
            self._request.set_value(offset, _VALUE[value])

    def fileno(self) -> int:
        """See `GpioRequest.fileno`."""
        self._check_live()
        return self._request.fd

    def descriptor(self) -> int | None:
        """See `GpioRequest.descriptor`."""
        return self.fileno()

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        """See `GpioRequest.read_events`."""
        self._check_live()
        with self._errors(self._offsets[0], "has no readable events"):
            # gpiod's read waits for a first event, so ask before; its own wait is a select(2), which ends at fd 1023.
            if max_events < 1 or not self._poll.poll(0):
                return []
            events = self._request.read_edge_events(max_events)
        rising = gpiod.EdgeEvent.Type.RISING_EDGE
        return [
            LineEvent(
                event.timestamp_ns,
                event.line_offset,
                Edge.RISING if event.event_type is rising else Edge.FALLING,
                event.line_seqno,
                event.global_seqno,
            )
            for event in events
        ]

    def release(self) -> None:
        """See `GpioRequest.release`. A second time does nothing."""
        self._request.release()

    def _check(self, offset: int) -> None:
        self._check_live()
        if offset not in self._offsets:
            raise not_requested(self._label, offset, self._offsets)

    def _check_live(self) -> None:
        if not self._request:
            raise released(self._label, self._offsets)

    @contextmanager
    def _errors(self, offset: int, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _failed(f"line {offset} of {self._label}", what, error) from error
        except gpiod.RequestReleasedError as error:
            raise released(self._label, self._offsets) from error


def _failed(place: str, what: str, error: OSError) -> BackendError:
    number = error.errno or errno.EIO
    name = errno.errorcode.get(number, "?")
    reason = error.strerror or os.strerror(number)
    return BackendError(place, f"{what}: {reason} ({name})", _FIXES.get(number, ""), number)
