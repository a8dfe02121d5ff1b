"""A stand-in for the module `lgpio` (lg 0.2.2), on the fake kernel of `fake_gpiod`: its calls, and its defects.

From lgpio.py, lgGpio.c, lgPthAlerts.c and lgPthTx.c: edges are read from the kernel's 16 a line every 500 µs, and
handed on by one thread that ends when a callback raises; it compares the chip's number and the line, never the edge; a
line's owner is "lg"; errors are raised as their text. A second claim of a line on one handle takes it over. Pulses
begin at a natural start, change at the end of a period, and leave the level when they stop.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

import gpiod
from gpiod.line import Bias, Direction, Drive, Edge, Value

from tests.backends.fake_gpiod import FakeChip, FakeRequest, FakeWorld

POLL_NS = 500_000
TEXTS = {
    -7: "GPIO operation not permitted", -73: "bad GPIO number", -78: "can not open gpiochip", -79: "GPIO busy",
    -80: "GPIO not allocated", -84: "too many GPIO", -88: "bad PWM micros", -98: "bad debounce micros",
    -104: "GPIO not set as an output",
}  # fmt: skip


class error(Exception):
    def __init__(self, value: str) -> None:
        self.value = value


@dataclass
class Alert:
    """One claimed alert, and what its debouncing knows."""

    request: FakeRequest
    chip: int
    both: bool
    last_level: int = 0
    last_ns: int = 0
    told_level: int = -1  # as lgGpioCreateAlertRec sets it
    told: bool = True


@dataclass
class Pulsed:
    """A record of the pulsing thread: what runs, and what waits for the end of the period."""

    shape: tuple[int, int]
    waiting: tuple[int, int] | None = None
    active: bool = True


@dataclass
class Callback:
    owner: FakeLgpio
    chip: int
    gpio: int
    func: Callable[[int, int, int, int], object]

    def cancel(self) -> None:
        self.owner.callbacks.remove(self)


class FakeLgpio:
    """The module. `chips` are the kernel's, by number; `thread_died` tells what a raising callback did."""

    error = error

    def __init__(self, chips: dict[int, FakeWorld], clock, timers) -> None:
        self.chips = chips
        self.clock = clock
        self.handles: dict[int, dict[int, FakeRequest]] = {}
        self.alerts: dict[tuple[int, int], Alert] = {}
        self.debounces: dict[tuple[int, int], int] = {}
        self.callbacks: list[Callback] = []
        self.pulsed: dict[tuple[int, int], Pulsed] = {}
        self.timers = timers
        self.thread_died = False
        self.opened = 0
        timers.every(POLL_NS, lambda *_: self.poll())

    def error_text(self, number: int) -> str:
        return TEXTS.get(number, "unknown error")

    def fail(self, number: int) -> error:
        return error(self.error_text(number))

    def world(self, handle: int) -> FakeWorld:
        return self.chips[handle >> 16]

    def gpiochip_open(self, number: int) -> int:
        if number not in self.chips:
            raise self.fail(-78)
        handle = self.opened | number << 16
        self.opened += 1
        self.handles[handle] = {}
        return handle

    def gpiochip_close(self, handle: int) -> int:
        for gpio in list(self.handles[handle]):
            self.gpio_free(handle, gpio)
        del self.handles[handle]
        return 0

    def gpio_get_chip_info(self, handle: int) -> list:
        world = self.world(handle)
        return [0, world.num_lines, f"gpiochip{handle >> 16}", world.label]

    def gpio_get_line_info(self, handle: int, gpio: int) -> list:
        info = FakeChip(self.world(handle)).get_line_info(gpio)
        return [0, gpio, int(info.used), f"GPIO{gpio}", info.consumer]

    def gpio_claim_input(self, handle: int, gpio: int, lFlags: int = 0) -> int:
        self.claim(handle, gpio, self.settings(lFlags, direction=Direction.INPUT))
        return 0

    def gpio_claim_output(self, handle: int, gpio: int, level: int = 0, lFlags: int = 0) -> int:
        value = Value.ACTIVE if level else Value.INACTIVE
        self.claim(handle, gpio, self.settings(lFlags, direction=Direction.OUTPUT, output_value=value))
        return 0

    def gpio_claim_alert(
        self, handle: int, gpio: int, eFlags: int, lFlags: int = 0, notify_handle: int | None = None
    ) -> int:
        edges = {1: Edge.RISING, 2: Edge.FALLING, 3: Edge.BOTH}[eFlags]
        request = self.claim(handle, gpio, self.settings(lFlags, direction=Direction.INPUT, edge_detection=edges))
        self.alerts[handle, gpio] = Alert(request, handle >> 16, eFlags == 3)
        return 0

    def gpio_set_debounce_micros(self, handle: int, gpio: int, debounce_micros: int) -> int:
        if not 0 <= debounce_micros <= 5_000_000:
            raise self.fail(-98)
        self.debounces[handle, gpio] = debounce_micros * 1000
        return 0

    def gpio_free(self, handle: int, gpio: int) -> int:
        self.alerts.pop((handle, gpio), None)
        if (handle, gpio) in self.pulsed:
            self.pulsed.pop((handle, gpio)).active = False
        self.handles[handle].pop(gpio).release()
        return 0

    def gpio_read(self, handle: int, gpio: int) -> int:
        return int(self.claimed(handle, gpio).get_value(gpio) is Value.ACTIVE)

    def gpio_write(self, handle: int, gpio: int, level: int) -> int:
        request = self.claimed(handle, gpio)
        if request.settings[gpio].direction is not Direction.OUTPUT:
            raise self.fail(-104)
        request.set_value(gpio, Value.ACTIVE if level else Value.INACTIVE)
        return 0

    def tx_pulse(self, handle: int, gpio: int, pulse_on: int, pulse_off: int) -> int:
        self.claimed(handle, gpio)
        now = self.pulsed.get((handle, gpio))
        if now is None or not now.active:
            if pulse_on + pulse_off <= 10:
                raise self.fail(-88)
            self.pulsed[handle, gpio] = made = Pulsed((pulse_on, pulse_off))
            period_ns = (pulse_on + pulse_off) * 1000
            start_ns = (self.clock.now_ns() // period_ns + 1) * period_ns
            self.timers.at(start_ns, lambda *_: self.cycle(made, handle, gpio))
        elif pulse_on or pulse_off:
            now.waiting = (pulse_on, pulse_off)
        else:
            now.active = False
        return 9

    def cycle(self, pulsed: Pulsed, handle: int, gpio: int) -> None:
        if not pulsed.active:
            return
        pulsed.shape, pulsed.waiting = pulsed.waiting or pulsed.shape, None
        on_us, off_us = pulsed.shape
        now_ns = self.clock.now_ns()
        self.gpio_write(handle, gpio, int(on_us > 0))
        if on_us:
            self.timers.at(now_ns + on_us * 1000, lambda *_: pulsed.active and self.gpio_write(handle, gpio, 0))
        self.timers.at(now_ns + (on_us + off_us) * 1000, lambda *_: self.cycle(pulsed, handle, gpio))

    def callback(self, handle: int, gpio: int, edge: int = 1, func: Callable | None = None) -> Callback:
        assert func is not None
        made = Callback(self, handle >> 16, gpio, func)
        self.callbacks.append(made)
        return made

    def claimed(self, handle: int, gpio: int) -> FakeRequest:
        if gpio not in self.handles[handle]:
            raise self.fail(-80)
        return self.handles[handle][gpio]

    def claim(self, handle: int, gpio: int, settings: gpiod.LineSettings) -> FakeRequest:
        if not 0 <= gpio < self.world(handle).num_lines:
            raise self.fail(-73)
        if gpio in self.handles[handle]:
            self.gpio_free(handle, gpio)
        try:
            request = FakeChip(self.world(handle)).request_lines({gpio: settings}, "lg")
        except OSError as why:
            raise self.fail(-79 if why.errno == errno.EBUSY else -85) from None
        self.handles[handle][gpio] = request
        return request

    @staticmethod
    def settings(flags: int, **more) -> gpiod.LineSettings:
        bias = {0: Bias.AS_IS, 32: Bias.PULL_UP, 64: Bias.PULL_DOWN, 128: Bias.DISABLED}[flags & 224]
        drive = {0: Drive.PUSH_PULL, 8: Drive.OPEN_DRAIN, 16: Drive.OPEN_SOURCE}[flags & 24]
        return gpiod.LineSettings(bias=bias, drive=drive, active_low=bool(flags & 4), **more)

    def poll(self) -> None:
        """A round of the alert thread, then of the thread of callbacks."""
        reports = []
        for (handle, gpio), alert in self.alerts.items():
            debounce_ns = self.debounces.get((handle, gpio), 0)
            for event in alert.request.read_edge_events(128) if alert.request.events else []:
                level = int(event.event_type is gpiod.EdgeEvent.Type.RISING_EDGE)
                if debounce_ns:
                    self.report_stable(alert, gpio, event.timestamp_ns, debounce_ns, reports)
                    alert.last_level, alert.last_ns, alert.told = level, event.timestamp_ns, False
                else:
                    reports.append((alert.chip, gpio, level, event.timestamp_ns))
            self.report_stable(alert, gpio, self.clock.now_ns(), debounce_ns, reports)
        for report in sorted(reports, key=lambda one: one[3]):
            self.report(*report)

    def report_stable(self, alert: Alert, gpio: int, now_ns: int, debounce_ns: int, reports: list) -> None:
        if alert.told or now_ns - alert.last_ns <= debounce_ns:
            return
        alert.told = True
        if not alert.both or alert.told_level != alert.last_level:
            alert.told_level = alert.last_level
            reports.append((alert.chip, gpio, alert.last_level, alert.last_ns + debounce_ns))

    def report(self, chip: int, gpio: int, level: int, timestamp_ns: int) -> None:
        """One record of the FIFO."""
        for callback in list(self.callbacks):
            if (callback.chip, callback.gpio) == (chip, gpio) and not self.thread_died:
                try:
                    callback.func(chip, gpio, level, timestamp_ns)
                except Exception:
                    self.thread_died = True
                    raise
