"""GPIO through lgpio, for machines that have it and not gpiod: chips found by label, edges half a millisecond late.

lgpio (lg 0.2.2) makes a FIFO in the working directory when it is imported, sorts edges for 500 µs, keeps no sequence
numbers, and ends its only thread when a callback raises. `limits.py` says what remains of that here.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from axiom_hw.backends.event_queue import EventQueue, QueuedRequest
from axiom_hw.backends.gpio import LineInput, LineOutput, check_request, check_value, line_busy, no_such_chip
from axiom_hw.backends.limits import GpioChoice, limits_of
from axiom_hw.board import Bias, Drive, EdgeDetection
from axiom_hw.errors import BackendError, MissingDependency
from axiom_hw.events import Edge

_LIMITS: Final = limits_of(GpioChoice.LGPIO)
_TIMEOUT: Final = 2  # "no level change": the report of a watchdog that somebody else in this process has set

# lgpio.py. Line flags and edges have the values of the kernel's first uAPI.
_ACTIVE_LOW: Final = 4
_BIAS: Final = {Bias.AS_IS: 0, Bias.PULL_UP: 32, Bias.PULL_DOWN: 64, Bias.DISABLED: 128}
_DRIVE: Final = {Drive.PUSH_PULL: 0, Drive.OPEN_DRAIN: 8, Drive.OPEN_SOURCE: 16}
_EDGES: Final = {EdgeDetection.RISING: 1, EdgeDetection.FALLING: 2, EdgeDetection.BOTH: 3}
_IS_OUR_KERNELS: Final = 1  # of a line's flags: somebody uses it

_ERRNO: Final = {
    -7: errno.EPERM,  # NOT_PERMITTED
    -73: errno.EINVAL,  # BAD_GPIO_NUMBER
    -78: errno.EACCES,  # CANNOT_OPEN_CHIP
    -79: errno.EBUSY,  # GPIO_BUSY
    -84: errno.ENOMEM,  # TOO_MANY_GPIOS
    -89: errno.ENODEV,  # BAD_GPIOCHIP
    -93: errno.EACCES,  # NO_PERMISSIONS
}
_GROUP: Final = "add yourself to the group that owns it, and log in again: sudo usermod -aG gpio $USER"


def import_lgpio(directory: str | None = None) -> Any:
    """Import lgpio with a temporary directory as the working directory, where its FIFO is made and removed at once.

    lgpio has opened both ends by then, so the file isn't needed any more. The change of directory is the whole
    process's, for the time of the import. Raises `MissingDependency`.
    """
    here = os.open(".", os.O_PATH | os.O_DIRECTORY)
    try:
        with tempfile.TemporaryDirectory(prefix="axiom-lgpio-", dir=directory) as scratch:
            os.chdir(scratch)
            try:
                import lgpio
            finally:
                os.fchdir(here)
    except ImportError as error:
        raise MissingDependency(
            "--gpio lgpio", f"needs the package lgpio, which can't be imported ({error})",
            "leave the option out: gpiod does all that lgpio does; or `pip install lgpio`, where it has a wheel",
        ) from error  # fmt: skip
    except OSError as error:
        raise MissingDependency(
            "--gpio lgpio", f"lgpio makes a FIFO when it is imported, and found no place for it ({error})",
            "set TMPDIR to a directory that may be written; a systemd unit has RuntimeDirectory= for that",
        ) from error  # fmt: skip
    finally:
        os.close(here)
    return lgpio


class LgpioBackend:
    """Chips under /dev, through lgpio. `module` and `dev` are there for tests.

    Synchronization: none required by the caller.
    """

    def __init__(self, module: Any = None, dev: Path = Path("/dev")) -> None:
        self._lgpio = module if module is not None else import_lgpio()
        self._dev = dev

    def open(self, label: str) -> LgpioChip:
        """See `GpioBackend.open`. Looks into each chip in turn; lgpio takes 0.1 s to close one again."""
        present, refused = [], []
        for number, path in self._numbers():
            if not os.access(path, os.R_OK | os.W_OK):
                refused.append(str(path))
                continue
            handle = self._call(f"chip {path}", self._lgpio.gpiochip_open, number)
            _, lines, _, found = self._call(f"chip {path}", self._lgpio.gpio_get_chip_info, handle)
            present.append(found)
            if found == label:
                return LgpioChip(self._lgpio, number, handle, label, lines, self._call)
            self._lgpio.gpiochip_close(handle)
        if refused:
            raise BackendError(
                f"chip {label}", f"may be one of {', '.join(refused)}, which may not be opened", _GROUP, errno.EACCES
            )
        raise no_such_chip(label, present)

    def _numbers(self) -> list[tuple[int, Path]]:
        """The number in each chip's name; of two names for one device, the one that isn't a link."""
        real = {path.resolve() for path in self._dev.glob("gpiochip*")}
        found = [(path.name.removeprefix("gpiochip"), path) for path in real]
        return sorted((int(number), path) for number, path in found if number.isdecimal())

    def _call(self, place: str, call: Callable[..., Any], *args: Any) -> Any:
        """Call lgpio. It raises errors as their text, or returns them, as its switch `exceptions` says."""
        try:
            result = call(*args)
        except self._lgpio.error as error:
            raise self._failed(place, str(error.value)) from error
        status = result[0] if isinstance(result, list) else result
        if isinstance(status, int) and status < 0:
            raise self._failed(place, self._lgpio.error_text(status))
        return result

    def _failed(self, place: str, text: str) -> BackendError:
        number = next((code for code in _ERRNO if self._lgpio.error_text(code) == text), 0)
        fix = _GROUP if _ERRNO.get(number) == errno.EACCES else "`gpioinfo` shows who has which line"
        return BackendError(place, f"lgpio says: {text}", fix, _ERRNO.get(number, errno.EIO))


class LgpioChip:
    """A chip, by the number that it has today.

    Synchronization: none required by the caller; each request has a handle of its own.
    """

    def __init__(self, module: Any, number: int, handle: int, label: str, lines: int, call: Callable[..., Any]) -> None:
        self._lgpio = module
        self._number = number
        self._handle = handle
        self._label = label
        self._lines = lines
        self._call = call

    @property
    def label(self) -> str:
        """See `GpioChip.label`."""
        return self._label

    def request_inputs(self, lines: Sequence[LineInput], consumer: str, event_buffer_size: int = 0) -> LgpioRequest:
        """See `GpioChip.request_inputs`. lgpio holds lines as "lg", whatever `consumer` says."""
        check_request(self._label, self._lines, [line.offset for line in lines])
        for line in lines:
            if line.debounce_ns > _LIMITS.longest_debounce_ns:
                raise BackendError(
                    f"line {line.offset} of {self._label}",
                    f"a debounce of {line.debounce_ns / 1e9:g} s; lgpio takes up to 5 s",
                    "use --gpio gpiod, or a shorter one", errno.EINVAL,
                )  # fmt: skip
        queue = EventQueue(lines)
        request = self._request([line.offset for line in lines], queue, outputs=False)
        try:
            for line in lines:
                request.claim_input(line)
        except BaseException:  # all of its lines, or none
            request.release()
            raise
        return request

    def request_outputs(self, lines: Sequence[LineOutput], consumer: str) -> LgpioRequest:
        """See `GpioChip.request_outputs`."""
        for line in lines:
            check_value(self._label, line.offset, line.value)
        check_request(self._label, self._lines, [line.offset for line in lines])
        request = self._request([line.offset for line in lines], EventQueue(()), outputs=True)
        try:
            for line in lines:
                request.claim_output(line)
        except BaseException:
            request.release()
            raise
        return request

    def close(self) -> None:
        """See `GpioChip.close`."""
        if self._handle >= 0:
            self._lgpio.gpiochip_close(self._handle)
            self._handle = -1

    def _request(self, offsets: list[int], queue: EventQueue, outputs: bool) -> LgpioRequest:
        handle = self._call(f"chip {self._label}", self._lgpio.gpiochip_open, self._number)
        return LgpioRequest(self._lgpio, handle, self._label, tuple(offsets), queue, self._call, outputs)


class LgpioRequest(QueuedRequest):
    """Lines of a chip, on a handle of their own: lgpio would let a second claim on one handle take a line over.

    Synchronization: as `GpioRequest` says; `release` must not run beside another call.
    """

    def __init__(
        self, module: Any, handle: int, label: str, offsets: tuple[int, ...], queue: EventQueue,
        call: Callable[..., Any], outputs: bool,
    ) -> None:  # fmt: skip
        super().__init__(label, offsets, queue, outputs=outputs)
        self._lgpio = module
        self._handle = handle
        self._call = call
        self._callbacks: list[Any] = []
        self._claimed: list[int] = []
        self._lock = threading.Lock()

    def claim_input(self, line: LineInput) -> None:
        """Own one line. Raises `BackendError`, EBUSY with who holds it."""
        flags = _BIAS[line.bias] | (_ACTIVE_LOW if line.active_low else 0)
        if line.edges is EdgeDetection.NONE:
            self._claim(line.offset, self._lgpio.gpio_claim_input, self._handle, line.offset, flags)
            return
        edges = _EDGES[line.edges]
        if line.debounce_ns:
            micros = line.debounce_ns // 1000
            self._on(line.offset, self._lgpio.gpio_set_debounce_micros, self._handle, line.offset, micros)
        # First the callback: an edge may come with the claim.
        self._callbacks.append(
            self._lgpio.callback(self._handle, line.offset, edges, partial(_changed, self._queue.put))
        )
        self._claim(line.offset, self._lgpio.gpio_claim_alert, self._handle, line.offset, edges, flags)
        if line.debounce_ns:
            self._queue.begin(line.offset, self.get(line.offset))

    def claim_output(self, line: LineOutput) -> None:
        """Own and drive one line. Raises `BackendError`, EBUSY with who holds it."""
        flags = _DRIVE[line.drive] | (_ACTIVE_LOW if line.active_low else 0)
        self._claim(line.offset, self._lgpio.gpio_claim_output, self._handle, line.offset, line.value, flags)

    def get(self, offset: int) -> int:
        """See `GpioRequest.get`. A debounced line shows its level as it is, and an output what was written."""
        self._check(offset)
        return int(self._on(offset, self._lgpio.gpio_read, self._handle, offset))

    def set(self, offset: int, value: int) -> None:
        """See `GpioRequest.set`."""
        self._check_set(offset, value)
        self._on(offset, self._lgpio.gpio_write, self._handle, offset, value)

    def pulse(self, offset: int, high_us: int, low_us: int) -> None:
        """Let lgpio's thread pulse an output, from the end of the period under way on; 0 and 0 stop it as it is.

        Raises `BackendError`, for a stop of what isn't pulsed too.
        """
        self._check(offset)
        self._on(offset, self._lgpio.tx_pulse, self._handle, offset, high_us, low_us)

    def release(self) -> None:
        """See `GpioRequest.release`. A second time does nothing."""
        with self._lock:
            if self._queue.closed:
                return
            for callback in self._callbacks:
                callback.cancel()
            self._queue.close()
            try:
                for offset in self._claimed:
                    self._on(offset, self._lgpio.gpio_free, self._handle, offset)
            finally:
                self._call(self._label, self._lgpio.gpiochip_close, self._handle)

    def _claim(self, offset: int, call: Callable[..., Any], *args: Any) -> None:
        try:
            self._on(offset, call, *args)
        except BackendError as error:
            if error.errno != errno.EBUSY:
                raise
            raise line_busy(self._label, offset, self._holder(offset)) from error
        self._claimed.append(offset)

    def _holder(self, offset: int) -> str:
        _, _, flags, _, consumer = self._on(offset, self._lgpio.gpio_get_line_info, self._handle, offset)
        return str(consumer) if flags & _IS_OUR_KERNELS else ""  # let go of in between

    def _on(self, offset: int, call: Callable[..., Any], *args: Any) -> Any:
        return self._call(f"line {offset} of {self._label}", call, *args)


def _changed(put: Callable[[int, Edge, int], None], _chip: int, offset: int, level: int, timestamp_ns: int) -> None:
    """What lgpio calls: `level` is the logical value, or 2 for a watchdog, which is no edge."""
    if level != _TIMEOUT:
        put(offset, Edge.RISING if level else Edge.FALLING, timestamp_ns)
