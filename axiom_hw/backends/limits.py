"""What each real GPIO backend can do and what it can't: one table, for the doctor, a run's first line and the tests.

Sources: drivers/gpio/gpiolib-cdev.c for gpiod; lgPthAlerts.c and lgGpio.c of lg 0.2.2 for lgpio; gpiozero 2.0.1's pin
factories, which differ among themselves, so that the row says what all of them keep to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.board import Bias, Drive


class GpioChoice(StrEnum):
    """The real GPIO backends, by the package that each is made of."""

    GPIOD = "gpiod"
    LGPIO = "lgpio"
    GPIOZERO = "gpiozero"


@dataclass(frozen=True, slots=True)
class GpioLimits:
    """One backend. Where it says False, the seam's promise doesn't hold for this one."""

    choice: GpioChoice
    added_latency_ns: int  # of an edge, over what the kernel and Python take
    counts_losses: bool  # edges carry the kernel's numbers, so that each lost one is counted
    sets_event_buffer: bool  # `event_buffer_size` of the board file reaches the kernel
    longest_debounce_ns: int
    debounces: bool  # by waiting until the level has settled, and stamping the edge then
    reads_settled: bool  # the value of a debounced line is the settled one
    biases: frozenset[Bias]
    drives: frozenset[Drive]
    consumer: str  # under which name it holds lines; empty where it takes ours
    pump: bool  # native code can read its edges without Python

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What it can't do, a phrase each."""
        found = []
        if self.added_latency_ns:
            found.append(f"edges come {self.added_latency_ns / 1e6:g} ms later")
        if not self.counts_losses:
            found.append("lost edges aren't counted: only that one is missing between two alike can be told")
        if not self.sets_event_buffer:
            found.append("event_buffer_size has no effect: the kernel keeps 16 edges a line")
        if not self.debounces:
            found.append("debounce is what the pin factory makes of it: most ignore edges after the first")
        elif not self.reads_settled:
            found.append("a debounced input reads as it is, bounces included")
        if self.longest_debounce_ns < _KERNEL_DEBOUNCE_NS:
            found.append(f"debounce ends at {self.longest_debounce_ns / 1e9:g} s")
        if missing := [bias.value for bias in Bias if bias not in self.biases]:
            found.append(f"no bias {', '.join(missing)}")
        if missing := [drive.value for drive in Drive if drive not in self.drives]:
            found.append(f"no {', '.join(missing)} outputs")
        if not self.pump:
            found.append("edges and outputs go through Python, also to native programs")
        if self.consumer:
            found.append(f'holds its lines as "{self.consumer}", whatever the program is called')
        return tuple(found)


_KERNEL_DEBOUNCE_NS: Final = ((1 << 32) - 1) * 1000  # a u32 of µs

LIMITS: Final = (
    GpioLimits(
        GpioChoice.GPIOD, added_latency_ns=0, counts_losses=True, sets_event_buffer=True,
        longest_debounce_ns=_KERNEL_DEBOUNCE_NS, debounces=True, reads_settled=True,
        biases=frozenset(Bias), drives=frozenset(Drive), consumer="", pump=True,
    ),
    GpioLimits(
        GpioChoice.LGPIO, added_latency_ns=500_000, counts_losses=False, sets_event_buffer=False,
        longest_debounce_ns=5_000_000_000, debounces=True, reads_settled=False,
        biases=frozenset(Bias), drives=frozenset(Drive), consumer="lg", pump=False,
    ),
    GpioLimits(
        GpioChoice.GPIOZERO, added_latency_ns=500_000, counts_losses=False, sets_event_buffer=False,
        longest_debounce_ns=5_000_000_000, debounces=False, reads_settled=False,
        biases=frozenset(Bias), drives=frozenset({Drive.PUSH_PULL}), consumer="", pump=False,
    ),
)  # fmt: skip


def limits_of(choice: GpioChoice) -> GpioLimits:
    """The row of a backend."""
    return next(row for row in LIMITS if row.choice is choice)


def open_gpio(choice: GpioChoice) -> GpioBackend:
    """The backend itself. Raises `MissingDependency` where its package can't be imported."""
    # Imported here, because each is there on some machines only, and takes its time.
    match choice:
        case GpioChoice.GPIOD:
            from axiom_hw.backends.gpiod_gpio import GpiodBackend

            return GpiodBackend()
        case GpioChoice.LGPIO:
            from axiom_hw.backends.lgpio_gpio import LgpioBackend

            return LgpioBackend()
        case GpioChoice.GPIOZERO:
            from axiom_hw.backends.gpiozero_gpio import GpiozeroBackend

            return GpiozeroBackend()
