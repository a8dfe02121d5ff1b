"""GPIO through one of gpiozero's pin factories, for lines that only such a factory reaches (pigpio over the net).

A factory knows the 40-pin header of one Pi, so there is one chip: the one that carries the header of that model. What
gets lost on the way is in `limits.py`.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final

from axiom_hw.backends.event_queue import EventQueue, QueuedRequest
from axiom_hw.backends.gpio import LineInput, LineOutput, check_request, check_value, line_busy, no_such_chip
from axiom_hw.backends.lgpio_gpio import import_lgpio
from axiom_hw.backends.limits import GpioChoice, limits_of
from axiom_hw.board import Bias, EdgeDetection
from axiom_hw.errors import BackendError, MissingDependency
from axiom_hw.events import Edge

_LIMITS: Final = limits_of(GpioChoice.GPIOZERO)
_HEADER_LINES: Final = 28
_LABELS: Final = {"BCM2712": "pinctrl-rp1", "BCM2711": "pinctrl-bcm2711"}  # by `board_info.soc`
_LABEL_BEFORE: Final = "pinctrl-bcm2835"
_PULL: Final = {Bias.PULL_UP: "up", Bias.PULL_DOWN: "down", Bias.DISABLED: "floating"}
_OTHER_EDGE: Final = {EdgeDetection.RISING: EdgeDetection.FALLING, EdgeDetection.FALLING: EdgeDetection.RISING}


def header_label(soc: str) -> str:
    """The label of the chip that carries the header, by gpiozero's name of the processor ("BCM2712")."""
    return _LABELS.get(soc, _LABEL_BEFORE)


class GpiozeroBackend:
    """The header of the Pi that a pin factory stands for: gpiozero's default one, unless another is given.

    Synchronization: none required by the caller.
    """

    def __init__(self, factory: Any = None, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Raises `MissingDependency` where gpiozero has no pin factory that works here."""
        self._factory = factory if factory is not None else _default_factory()
        self._now_ns = now_ns

    def open(self, label: str) -> GpiozeroChip:
        """See `GpioBackend.open`."""
        there = header_label(self._factory.board_info.soc)
        if label != there:
            raise no_such_chip(label, [there])
        return GpiozeroChip(self._factory, label, self._now_ns)


class GpiozeroChip:
    """The header.

    Synchronization: none required by the caller.
    """

    def __init__(self, factory: Any, label: str, now_ns: Callable[[], int]) -> None:
        self._factory = factory
        self._label = label
        self._now_ns = now_ns

    @property
    def label(self) -> str:
        """See `GpioChip.label`."""
        return self._label

    def request_inputs(self, lines: Sequence[LineInput], consumer: str, event_buffer_size: int = 0) -> GpiozeroRequest:
        """See `GpioChip.request_inputs`. The pins' names show `consumer` to gpiozero's own devices."""
        check_request(self._label, _HEADER_LINES, [line.offset for line in lines])
        queue = EventQueue(lines)
        request = self._request(lines, queue, consumer, outputs=False)
        try:
            for line in lines:
                request.set_up_input(line, self._now_ns)
        except BaseException:  # all of its lines, or none
            request.release()
            raise
        return request

    def request_outputs(self, lines: Sequence[LineOutput], consumer: str) -> GpiozeroRequest:
        """See `GpioChip.request_outputs`."""
        for line in lines:
            check_value(self._label, line.offset, line.value)
            if line.drive not in _LIMITS.drives:
                raise BackendError(
                    f"line {line.offset} of {self._label}", f"gpiozero's pins can't be {line.drive.value} outputs",
                    "leave --gpio out: gpiod can", errno.ENOTSUP,
                )  # fmt: skip
        check_request(self._label, _HEADER_LINES, [line.offset for line in lines])
        request = self._request(lines, EventQueue(()), consumer, outputs=True)
        try:
            for line in lines:
                request.set_up_output(line)
        except BaseException:
            request.release()
            raise
        return request

    def close(self) -> None:
        """See `GpioChip.close`: the factory is gpiozero's, and stays."""

    def _request(
        self, lines: Sequence[LineInput] | Sequence[LineOutput], queue: EventQueue, consumer: str, outputs: bool
    ) -> GpiozeroRequest:
        from gpiozero.exc import GPIOPinInUse

        holder = _Holder(consumer)
        try:
            for line in lines:
                self._factory.reserve_pins(holder, f"GPIO{line.offset}")
        except GPIOPinInUse as error:
            self._factory.release_all(holder)
            queue.close()
            who = re.search(r"in use by (.+)", str(error))
            raise line_busy(self._label, line.offset, who[1] if who else "") from error
        active_low = {line.offset: line.active_low for line in lines}
        return GpiozeroRequest(self._factory, self._label, active_low, queue, holder, outputs)


class GpiozeroRequest(QueuedRequest):
    """Pins of a factory that are ours until `release`.

    Synchronization: as `GpioRequest` says; `release` must not run beside another call.
    """

    def __init__(
        self, factory: Any, label: str, active_low: dict[int, bool], queue: EventQueue, holder: _Holder, outputs: bool
    ) -> None:
        super().__init__(label, tuple(active_low), queue, outputs=outputs)
        self._factory = factory
        self._active_low = active_low
        self._holder = holder  # factories keep weak references
        self._pins: dict[int, Any] = {}
        self._watchers: list[_Watcher] = []  # weak, too

    def set_up_input(self, line: LineInput, now_ns: Callable[[], int]) -> None:
        """Make a pin an input that reports its edges. Raises `BackendError` for what the pin can't be."""
        pin = self._pins[line.offset] = self._factory.pin(f"GPIO{line.offset}")
        with _PinErrors(f"line {line.offset} of {self._label}"):
            if line.bias is Bias.AS_IS:
                pin.function = "input"
            else:
                pin.input_with_pull(_PULL[line.bias])
            if line.edges is EdgeDetection.NONE:
                return
            pin.bounce = line.debounce_ns / 1e9 if line.debounce_ns else None
            turned = _OTHER_EDGE.get(line.edges, line.edges) if line.active_low else line.edges
            pin.edges = turned.value
            watcher = _Watcher(self._factory, line, self._queue, now_ns)
            self._watchers.append(watcher)
            pin.when_changed = watcher.changed

    def set_up_output(self, line: LineOutput) -> None:
        """Make a pin an output that has its level from the start. Raises `BackendError`."""
        pin = self._pins[line.offset] = self._factory.pin(f"GPIO{line.offset}")
        with _PinErrors(f"line {line.offset} of {self._label}"):
            pin.output_with_state(line.value ^ line.active_low)

    def get(self, offset: int) -> int:
        """See `GpioRequest.get`."""
        self._check(offset)
        with _PinErrors(f"line {offset} of {self._label}"):
            return int(bool(self._pins[offset].state)) ^ self._active_low[offset]

    def set(self, offset: int, value: int) -> None:
        """See `GpioRequest.set`."""
        self._check_set(offset, value)
        with _PinErrors(f"line {offset} of {self._label}"):
            self._pins[offset].state = value ^ self._active_low[offset]

    def release(self) -> None:
        """See `GpioRequest.release`. gpiozero makes a pin that is closed an input. A second time does nothing."""
        if self._queue.closed:
            return
        self._queue.close()
        with _PinErrors(f"lines of {self._label}"), ExitStack() as last:  # one that fails keeps no other
            last.callback(self._factory.release_all, self._holder)
            for pin in self._pins.values():
                last.callback(_let_go, pin)


def _let_go(pin: Any) -> None:
    pin.when_changed = None
    pin.close()


class _Watcher:
    """One pin's edges to the queue; `ticks` are the factory's own, and become CLOCK_MONOTONIC."""

    def __init__(self, factory: Any, line: LineInput, queue: EventQueue, now_ns: Callable[[], int]) -> None:
        self._factory = factory
        self._line = line
        self._queue = queue
        self._now_ns = now_ns

    def changed(self, ticks: Any, state: Any) -> None:
        """What the factory calls."""
        now_ns = self._now_ns()
        ago_ns = round(self._factory.ticks_diff(self._factory.ticks(), ticks) * 1e9)
        edge = Edge.RISING if bool(state) != self._line.active_low else Edge.FALLING
        self._queue.put(self._line.offset, edge, now_ns - max(ago_ns, 0))


class _Holder:
    """Who reserves pins, as gpiozero's devices do: nobody else may have them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def _conflicts_with(self, other: object) -> bool:
        return True


class _PinErrors:
    """What a factory raises, as a `BackendError` about a line."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from gpiozero.exc import GPIOZeroError

        if isinstance(error, GPIOZeroError):
            raise BackendError(
                self._place, f"gpiozero says: {error}", "leave --gpio out: gpiod may do it", errno.EINVAL
            ) from error
        if isinstance(error, OSError) and not isinstance(error, BackendError):
            raise BackendError(self._place, f"gpiozero says: {error}", errno=error.errno or errno.EIO) from error


def _default_factory() -> Any:
    try:
        from gpiozero import BadPinFactory, Device
        from gpiozero.exc import PinError
    except ImportError as error:
        raise MissingDependency(
            "--gpio gpiozero", f"needs the package gpiozero, which can't be imported ({error})",
            "`pip install gpiozero`, or leave the option out: gpiod does more",
        ) from error  # fmt: skip
    if os.environ.get("GPIOZERO_PIN_FACTORY", "lgpio") == "lgpio":
        with suppress(MissingDependency):  # gpiozero then says itself what it finds instead
            import_lgpio()  # here, so that its FIFO isn't made in the working directory
    try:
        Device.ensure_pin_factory()
    except (BadPinFactory, PinError, ImportError, OSError) as error:
        raise MissingDependency(
            "--gpio gpiozero", f"gpiozero finds no pin factory that works here ({error})",
            "name one that does in GPIOZERO_PIN_FACTORY, or leave the option out, or run with --mock",
        ) from error  # fmt: skip
    return Device.pin_factory
