"""eBPF for the pins of a Raspberry Pi 5: verified programs on GPIO edges, PWM changes, sensors and timers.

    wire -> backend -> adapter -> event -> hook -> executor -> program -> maps, rings -> you
            backends/  adapters/  events   hooks   executor   bpf/       bpf/maps/      app
                                                     \\-> actuation (the guard) -> backend -> wire

bpf/        the machine: instructions, objects, verifier, engines, maps. Knows no hardware
board       what is wired to which pin (boards/*.toml)
clock       time as an argument; VirtualClock for tests        scheduler  timers
keys        what a program can be attached to                  slots      who dispatches; grace periods
calls       what programs in Python call                       programs   from a Python function to a program
runtime     the composition root                               bench      the mock bench
app         what a user writes                                 cli/       `axiom-hw`
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from axiom_hw.app import App as App
    from axiom_hw.bench import MockBench as MockBench
    from axiom_hw.board import Board as Board
    from axiom_hw.board import load_board as load_board
    from axiom_hw.bpf.layout import array_of as array_of
    from axiom_hw.bpf.layout import layout as layout
    from axiom_hw.bpf.layout import s8 as s8
    from axiom_hw.bpf.layout import s16 as s16
    from axiom_hw.bpf.layout import s32 as s32
    from axiom_hw.bpf.layout import s64 as s64
    from axiom_hw.bpf.layout import u8 as u8
    from axiom_hw.bpf.layout import u16 as u16
    from axiom_hw.bpf.layout import u32 as u32
    from axiom_hw.bpf.layout import u64 as u64
    from axiom_hw.bpf.layout import zeros as zeros
    from axiom_hw.bpf.verifier import Rejected as Rejected
    from axiom_hw.bpf.verifier import verify as verify
    from axiom_hw.calls import NO_READING as NO_READING
    from axiom_hw.calls import emergency_stop as emergency_stop
    from axiom_hw.calls import gpio_get as gpio_get
    from axiom_hw.calls import gpio_set as gpio_set
    from axiom_hw.calls import iio_read as iio_read
    from axiom_hw.calls import motor_set as motor_set
    from axiom_hw.calls import now_ns as now_ns
    from axiom_hw.calls import pwm_write as pwm_write
    from axiom_hw.calls import pwm_write_ns as pwm_write_ns
    from axiom_hw.calls import random_u32 as random_u32
    from axiom_hw.calls import servo_set as servo_set
    from axiom_hw.calls import slot as slot
    from axiom_hw.calls import stopped as stopped
    from axiom_hw.clock import MonotonicClock as MonotonicClock
    from axiom_hw.clock import VirtualClock as VirtualClock
    from axiom_hw.errors import AxiomError as AxiomError
    from axiom_hw.errors import Fault as Fault
    from axiom_hw.events import Edge as Edge
    from axiom_hw.events import GpioEvent as GpioEvent
    from axiom_hw.events import I2cEvent as I2cEvent
    from axiom_hw.events import IioEvent as IioEvent
    from axiom_hw.events import PwmEvent as PwmEvent
    from axiom_hw.events import ScanEvent as ScanEvent
    from axiom_hw.events import SerialEvent as SerialEvent
    from axiom_hw.events import TimerEvent as TimerEvent
    from axiom_hw.hooks import Link as Link
    from axiom_hw.options import Options as Options
    from axiom_hw.runtime import Runtime as Runtime
    from axiom_hw.watch.conditions import above as above
    from axiom_hw.watch.conditions import at_least as at_least
    from axiom_hw.watch.conditions import at_most as at_most
    from axiom_hw.watch.conditions import below as below
    from axiom_hw.watch.conditions import changed as changed
    from axiom_hw.watch.conditions import changed_percent as changed_percent
    from axiom_hw.watch.conditions import equal as equal
    from axiom_hw.watch.conditions import not_equal as not_equal
    from axiom_hw.watch.event import WatchEvent as WatchEvent

# A name is imported when it is first used: most users of a part, the command line among them, need few of them.
_PUBLIC = {
    "app": "App",
    "bench": "MockBench",
    "board": "Board load_board",
    "bpf.layout": "array_of layout s8 s16 s32 s64 u8 u16 u32 u64 zeros",
    "bpf.verifier": "Rejected verify",
    "calls": (
        "NO_READING emergency_stop gpio_get gpio_set iio_read motor_set now_ns pwm_write pwm_write_ns random_u32 "
        "servo_set slot stopped"
    ),
    "clock": "MonotonicClock VirtualClock",
    "errors": "AxiomError Fault",
    "events": "Edge GpioEvent I2cEvent IioEvent PwmEvent ScanEvent SerialEvent TimerEvent",
    "hooks": "Link",
    "options": "Options",
    "runtime": "Runtime",
    "watch.conditions": "above at_least at_most below changed changed_percent equal not_equal",
    "watch.event": "WatchEvent",
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names.split()}

__all__ = sorted(_HOME)


if not TYPE_CHECKING:  # a checker would take it for a promise that every name exists

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
