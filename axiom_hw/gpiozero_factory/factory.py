"""The pin factory `axiom`: gpiozero's pins on our backends, the real ones or, with AXIOM_MOCK=1, a header in memory.

gpiozero finds it by the entry point `axiom` of the group `gpiozero_pin_factories`. What `PiFactory` and `PiPin` must
offer is in gpiozero 2's pins/__init__.py and pins/pi.py.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from gpiozero.devices import Device
from gpiozero.exc import DeviceClosed, GPIOPinInUse, PinSPIUnsupported, PinUnknownPi, PWMSoftwareFallback
from gpiozero.pins.local import get_pi_revision
from gpiozero.pins.pi import PiFactory

from axiom_hw.backends.gpio import MAX_EVENT_BUFFER, GpioBackend, GpioChip, GpioRequest, LineInput, LineOutput
from axiom_hw.backends.gpiozero_gpio import header_label
from axiom_hw.backends.limits import GpioChoice, open_gpio
from axiom_hw.backends.pwm import PwmBackend
from axiom_hw.backends.software_pwm import PulsedLine
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.board.pins import PWMS
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.gpiozero_factory.edges import EdgeThread
from axiom_hw.gpiozero_factory.mock import MockedPin, MockHeader
from axiom_hw.gpiozero_factory.pin import AxiomPin
from axiom_hw.gpiozero_factory.pwm import HardwarePwm, PinPwm

MOCK: Final = "AXIOM_MOCK"
_CONSUMER: Final = "gpiozero"
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal went away
_EMPTY: Final = ("", "0", "no", "false", "off")


class AxiomFactory(PiFactory):  # type: ignore[misc]  # gpiozero has no types
    """Pins of this Pi's header. `bench` is the header in memory, None on a real one.

    `gpio`, `pwm` and `revision` stand for the machine in tests. Ticks are nanoseconds of CLOCK_MONOTONIC: an edge has
    the kernel's.

    Synchronization: as gpiozero's factories: any thread.
    """

    def __init__(
        self,
        bench: MockHeader | None = None,
        *,
        gpio: GpioBackend | None = None,
        pwm: PwmBackend | None = None,
        revision: int | None = None,
    ) -> None:
        """Raises `PinUnknownPi` where this is no Pi and no mock was asked for."""
        super().__init__()
        if bench is None and gpio is None and os.environ.get(MOCK, "").lower() not in _EMPTY:
            bench = MockHeader()
        self.bench = bench
        self._revision = bench.revision if bench is not None else revision
        self._gpio: GpioBackend | None = bench.gpio if bench is not None else gpio
        self._pwm: PwmBackend = bench.pwm if bench is not None else pwm if pwm is not None else SysfsPwm()
        self.pin_class = AxiomPin if bench is None else MockedPin
        self.edges = EdgeThread(self.ticks)
        self._chip: GpioChip | None = None
        self._plain: set[int] = set()  # lines that were a plain GPIO in this process
        self._told = False
        self._closed = False
        self._chip_lock = threading.Lock()
        self._label = header_label(self.board_info.soc)
        self._handlers = {n: _exit for n in _ENDING if _ended_by_default(n)}
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        atexit.register(self._at_exit)

    def close(self) -> None:
        """Outputs become inputs, pulses end, the chip is given back. Twice is fine."""
        if self._closed:
            return
        try:
            super().close()
        finally:
            self._closed = True
            self.edges.close()
            if self._chip is not None:
                self._chip.close()
            if self.bench is not None:
                self.bench.close()
            for number, handler in self._handlers.items():
                if threading.current_thread() is threading.main_thread() and signal.getsignal(number) is handler:
                    signal.signal(number, signal.SIG_DFL)
            atexit.unregister(self._at_exit)

    def reset(self) -> None:
        """As `MockFactory.reset`, for tests: close every pin, and forget who reserved what."""
        for pin in self.pins.values():
            pin.close()
        self.pins.clear()
        self._reservations.clear()
        self._plain.clear()

    def ticks(self) -> int:
        """Now, in ns of the clock that stamps edges."""
        return self.bench.clock.now_ns() if self.bench is not None else time.monotonic_ns()

    @staticmethod
    def ticks_diff(later: int, earlier: int) -> float:
        """The time between two ticks in seconds."""
        return (later - earlier) / 1e9

    def spi(self, **spi_args: Any) -> Any:
        """Not here. Raises `PinSPIUnsupported`."""
        raise PinSPIUnsupported(
            "the pin factory axiom has no SPI; run this script with GPIOZERO_PIN_FACTORY=lgpio, or let the kernel read "
            "the device: dtoverlay=mcp3008 and an [iio.NAME] table in a board file of axiom_hw"
        )

    def _get_revision(self) -> int:
        if self._revision is None:
            try:
                self._revision = get_pi_revision()
            except (PinUnknownPi, OSError) as error:
                raise PinUnknownPi(
                    f"this machine isn't a Raspberry Pi ({error}); {MOCK}=1 gives scripts a header in memory"
                ) from error
        return self._revision

    # for pins

    def request_input(self, line: LineInput) -> GpioRequest:
        """Own a line. Raises `GPIOPinInUse` with who holds it, and `BackendError`."""
        with _in_use_as_gpiozeros():
            request = self._open_chip().request_inputs([line], _CONSUMER, MAX_EVENT_BUFFER)
        self._plain.add(line.offset)
        return request

    def request_output(self, line: LineOutput) -> GpioRequest:
        """Own a line, and drive it. Raises `GPIOPinInUse` with who holds it, and `BackendError`."""
        with _in_use_as_gpiozeros():
            request = self._open_chip().request_outputs([line], _CONSUMER)
        self._plain.add(line.offset)
        return request

    def open_hardware_pwm(self, pin: AxiomPin) -> PinPwm | None:
        """A channel that comes out on the pin; None, said once, where there is none to be had."""
        rows = [(known.device, row.channel) for known in PWMS if known.label == self._label for row in known.pins
                if row.line == pin.line]  # fmt: skip
        if not rows:
            lines = sorted({row.line for known in PWMS if known.label == self._label for row in known.pins})
            why = f"no PWM channel comes out there, but on {', '.join(f'GPIO{line}' for line in lines)}"
        elif pin.line in self._plain:
            why = "it was a plain GPIO in this process, and only the kernel's start makes it a PWM pin again"
        else:
            why = ""
            for device, channel in rows:
                try:
                    return HardwarePwm(self._pwm.open(device, channel))
                except BackendError as error:
                    why = why or f"{error.place} {error.problem}" + (f" ({error.fix})" if error.fix else "")
        if not self._told:
            self._told = True
            warnings.warn(PWMSoftwareFallback(
                f"{pin!r} is pulsed by a thread of this process, so pulses jitter, and end with it: {why}"
            ), stacklevel=8)  # fmt: skip
        return None

    def pulse(self, request: GpioRequest, line: int) -> PinPwm:
        """Pulses on a line that has no channel: by a thread, or in virtual time by the header's scheduler."""
        if self.bench is not None and isinstance(self.bench.clock, VirtualClock):
            return PulsedLine(request, line, self.bench.clock, self.bench.scheduler)
        return PulsedLine(request, line)

    def _open_chip(self) -> GpioChip:
        if self._closed:
            raise DeviceClosed("the pin factory is closed")
        with self._chip_lock:
            if self._chip is None:
                self._gpio = self._gpio if self._gpio is not None else open_gpio(GpioChoice.GPIOD)
                self._chip = self._gpio.open(self._label)
            return self._chip

    def _at_exit(self) -> None:
        # gpiozero closes its default factory itself, after the threads of devices, which still write to pins now.
        if Device.pin_factory is not self:
            self.close()


@contextmanager
def _in_use_as_gpiozeros() -> Iterator[None]:
    try:
        yield
    except BackendError as error:
        if error.errno != errno.EBUSY:
            raise
        raise GPIOPinInUse(str(error)) from error


def _ended_by_default(number: int) -> bool:
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(number) is signal.SIG_DFL


def _exit(number: int, _frame: FrameType | None) -> None:
    """End the script as an exception does, so that gpiozero closes its pins: exit 128 + n."""
    sys.exit(128 + number)
