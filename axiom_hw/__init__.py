"""eBPF for the pins of a Raspberry Pi 5: verified programs on GPIO edges, PWM changes, sensors and timers.

    wire -> backend -> adapter -> event -> hook -> executor -> program -> maps, rings -> you
            backends/  adapters/  events   hooks   executor   bpf/       bpf/maps/      app
                                                     \\-> actuation (the guard) -> backend -> wire

bpf/        the machine: instructions, objects, verifier, engines, maps. Knows no hardware
board       what is wired to which pin (boards/*.toml)
clock       time as an argument; VirtualClock for tests        scheduler  timers
keys        what a program can be attached to                  slots      who dispatches; grace periods
runtime     the composition root                               bench      the mock bench
app         what a user writes                                 cli/       `axiom-hw`
"""

from axiom_hw.app import App
from axiom_hw.bench import MockBench
from axiom_hw.board import Board, load_board
from axiom_hw.bpf.layout import layout, s8, s16, s32, s64, u8, u16, u32, u64
from axiom_hw.bpf.verifier import Rejected, verify
from axiom_hw.clock import MonotonicClock, VirtualClock
from axiom_hw.errors import AxiomError, Fault
from axiom_hw.events import Edge, GpioEvent, PwmEvent, TimerEvent
from axiom_hw.hooks import Link
from axiom_hw.runtime import Runtime

__all__ = [
    "App",
    "AxiomError",
    "Board",
    "Edge",
    "Fault",
    "GpioEvent",
    "Link",
    "MockBench",
    "MonotonicClock",
    "PwmEvent",
    "Rejected",
    "Runtime",
    "TimerEvent",
    "VirtualClock",
    "layout",
    "load_board",
    "s8",
    "s16",
    "s32",
    "s64",
    "u8",
    "u16",
    "u32",
    "u64",
    "verify",
]
