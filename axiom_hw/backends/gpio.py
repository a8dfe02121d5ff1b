"""The GPIO seam: what every backend offers, in libgpiod's words, and the errors that all of them raise.

A *request* owns lines of one chip exclusively until it is released, as with the character device (uAPI v2,
include/uapi/linux/gpio.h). Values are logical: `active_low` is applied below this seam.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from axiom_hw.board import Bias, Drive, EdgeDetection
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge

DEFAULT_EVENTS_PER_LINE = 16  # drivers/gpio/gpiolib-cdev.c, linereq_create
MAX_EVENT_BUFFER = 1024  # GPIO_V2_LINES_MAX * 16, the same place
MAX_LINES_PER_REQUEST = 64  # GPIO_V2_LINES_MAX


@dataclass(frozen=True, slots=True)
class LineInput:
    """How to request a line as an input."""

    offset: int
    edges: EdgeDetection = EdgeDetection.NONE
    bias: Bias = Bias.AS_IS
    active_low: bool = False
    debounce_ns: int = 0


@dataclass(frozen=True, slots=True)
class LineOutput:
    """How to request a line as an output; it is driven to `value` in the same step."""

    offset: int
    value: int = 0
    active_low: bool = False
    drive: Drive = Drive.PUSH_PULL


@dataclass(frozen=True, slots=True)
class LineEvent:
    """One edge. `line_seqno` and `global_seqno` count from 1, over the line and over the request.

    They also count events that the kernel's buffer had no room for, so that a gap tells how many were lost.
    `edge` is that of the logical value.
    """

    timestamp_ns: int
    offset: int
    edge: Edge
    line_seqno: int
    global_seqno: int


class GpioRequest(Protocol):
    """Lines of one chip, ours until `release`.

    Synchronization: `get` and `set` may be called from any thread; `read_events` from one thread at a time.
    """

    @property
    def offsets(self) -> tuple[int, ...]:
        """The lines, in the order of the request."""
        ...

    def get(self, offset: int) -> int:
        """The value of a line, 0 or 1; an output reads back what is on the wire. EPERM for a line not requested."""
        ...

    def set(self, offset: int, value: int) -> None:
        """Drive an output to 0 or 1. EPERM for a line that isn't an output of this request."""
        ...

    def fileno(self) -> int:
        """A descriptor that polls readable while events are queued."""
        ...

    def descriptor(self) -> int | None:
        """The kernel's own descriptor of the request, for native code: it reads as `struct gpio_v2_line_event`s, and
        takes the ioctls of values. None where there is none, as on the mock.
        """
        ...

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        """Take the oldest queued events; an empty list where none is queued. Never waits."""
        ...

    def release(self) -> None:
        """Give the lines back. What an output then does is up to the chip: a Pi 5 keeps its level."""
        ...


class GpioChip(Protocol):
    """An open chip.

    Synchronization: none required by the caller; requests of one chip don't disturb each other.
    """

    @property
    def label(self) -> str:
        """What the chip was found by."""
        ...

    def request_inputs(self, lines: Sequence[LineInput], consumer: str, event_buffer_size: int = 0) -> GpioRequest:
        """Own lines as inputs. Raises `BackendError`: EBUSY names the line and who holds it.

        `event_buffer_size` is in events; 0 means 16 for each line. The kernel keeps no more than 1024 and rounds
        up to a power of two; beyond that it drops the oldest.
        """
        ...

    def request_outputs(self, lines: Sequence[LineOutput], consumer: str) -> GpioRequest:
        """Own lines as outputs, driven from the first moment. Raises `BackendError`."""
        ...

    def close(self) -> None:
        """Close the chip; its requests live on until they are released."""
        ...


class GpioBackend(Protocol):
    """Where chips come from.

    Synchronization: none required by the caller.
    """

    def open(self, label: str) -> GpioChip:
        """The chip of that label. Raises `BackendError` (ENODEV), which lists the labels there are."""
        ...


def no_such_chip(label: str, found: Iterable[str]) -> BackendError:
    """The error of a chip that isn't there."""
    present = ", ".join(sorted(found))
    there = f"the chips here are {present}" if present else "there is no GPIO chip on this machine"
    fix = "run with --mock for a bench in memory, or correct `label` in the board file; `axiom-hw doctor` looks closer"
    return BackendError(f"chip {label}", f"isn't there; {there}", fix, errno.ENODEV)


def line_busy(label: str, offset: int, consumer: str) -> BackendError:
    """The error of a line that somebody else holds."""
    who = f'"{consumer}"' if consumer else "somebody who gave no name"
    return BackendError(
        f"line {offset} of {label}",
        f"is in use by {who}",
        "end that program, or give this one another line; a kernel driver lets go when its overlay is removed",
        errno.EBUSY,
    )


def not_requested(label: str, offset: int, offsets: Sequence[int]) -> BackendError:
    """The error of a line that the request doesn't own."""
    own = ", ".join(map(str, offsets)) or "no lines"
    return BackendError(
        f"line {offset} of {label}", f"isn't part of this request, which owns {own}", "declare it in the board file",
        errno.EPERM,
    )  # fmt: skip


def not_an_output(label: str, offset: int) -> BackendError:
    """The error of a write to an input."""
    return BackendError(
        f"line {offset} of {label}", "is requested as an input, which can't be driven",
        "declare it as [output.NAME] in the board file", errno.EPERM,
    )  # fmt: skip


def released(label: str, offsets: Sequence[int]) -> BackendError:
    """The error of a request that was given back."""
    lines = ", ".join(map(str, offsets))
    return BackendError(f"lines {lines} of {label}", "were released", "request them again", errno.EPERM)


def check_request(label: str, num_lines: int, offsets: Sequence[int]) -> None:
    """What the kernel checks before it looks at a line: 1 to 64 of them, each on the chip, none twice."""
    if not 1 <= len(offsets) <= MAX_LINES_PER_REQUEST:
        raise BackendError(
            f"chip {label}", f"{len(offsets)} lines in one request; it takes 1 to {MAX_LINES_PER_REQUEST}",
            errno=errno.EINVAL,
        )  # fmt: skip
    for at, offset in enumerate(offsets):
        if not 0 <= offset < num_lines:
            raise BackendError(
                f"line {offset} of {label}", f"isn't there; its lines are 0 to {num_lines - 1}", errno=errno.EINVAL
            )
        if offset in offsets[:at]:
            raise BackendError(f"line {offset} of {label}", "is named twice in one request", errno=errno.EBUSY)


def check_value(label: str, offset: int, value: int) -> None:
    """A logical value is 0 or 1."""
    if value not in (0, 1):
        raise BackendError(
            f"line {offset} of {label}", f"can't take the value {value}; it takes 0 or 1", errno=errno.EINVAL
        )
