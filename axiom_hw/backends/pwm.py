"""The PWM seam: what every backend offers, in the kernel's words (include/linux/pwm.h), and its errors."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from axiom_hw.board import Polarity
from axiom_hw.board.models import overlay_for
from axiom_hw.board.pins import known_pwm
from axiom_hw.errors import BackendError


@dataclass(frozen=True, slots=True)
class PwmState:
    """What a channel does. The duty is the part of the period at the active level; it may be 0 and the whole."""

    period_ns: int
    duty_ns: int
    enabled: bool
    polarity: Polarity = Polarity.NORMAL


class PwmOutput(Protocol):
    """One channel, ours until `close`.

    Synchronization: calls on one channel must not overlap; channels don't disturb each other.
    """

    def apply(self, state: PwmState) -> None:
        """Bring the channel to a state. Raises `BackendError`: EINVAL where period is 0 or duty longer than it."""
        ...

    def state(self) -> PwmState:
        """What was applied last; the hardware's rounding doesn't show."""
        ...

    def close(self) -> None:
        """Give the channel back. It goes on as it was: a PWM outlives its process."""
        ...


class PwmBackend(Protocol):
    """Where channels come from.

    Synchronization: none required by the caller.
    """

    def open(self, device: str, channel: int) -> PwmOutput:
        """A channel of a chip, by the name of its device ("1f00098000.pwm").

        Raises `BackendError`: ENODEV where device or channel is missing, EBUSY where the channel is taken.
        """
        ...


def check_state(place: str, state: PwmState) -> None:
    """The kernel's check on every write (`pwm_apply_state`, drivers/pwm/core.c)."""
    if state.period_ns <= 0:
        raise BackendError(place, f"a period of {state.period_ns} ns; it is at least 1 ns", errno=errno.EINVAL)
    if not 0 <= state.duty_ns <= state.period_ns:
        limit = f"it is 0 to the period, {state.period_ns} ns"
        raise BackendError(place, f"a duty of {state.duty_ns} ns; {limit}", errno=errno.EINVAL)


def no_such_device(device: str, found: Iterable[str], channel: int | None = None) -> BackendError:
    """The error of a PWM chip that isn't there: nearly always an overlay that isn't loaded.

    Which one, the `channel` says that was wanted: a Pi brings each out on one pin, or on either of two.
    """
    present = ", ".join(sorted(found))
    there = f"the PWM devices here are {present}" if present else "there is no PWM chip on this machine"
    known = known_pwm(device)
    pins = () if known is None else known.pins if channel is None else known.of_channel(channel)
    if pins:
        lines = ", or for ".join(f"GPIO{pin.line} {overlay_for((pin,))}" for pin in pins)
        fix = f"for {lines}: write it under [all] in /boot/firmware/config.txt and reboot; elsewhere run with --mock"
    else:
        fix = "is its driver loaded? `readlink /sys/class/pwm/pwmchip*/device` shows the chips; or run with --mock"
    return BackendError(f"pwm {device}", f"isn't there; {there}", fix, errno.ENODEV)


def no_such_channel(device: str, channel: int, channels: int) -> BackendError:
    """The error of a channel that the chip doesn't have."""
    limit = f"its channels are 0 to {channels - 1}"
    return BackendError(f"channel {channel} of {device}", f"isn't there; {limit}", errno=errno.ENODEV)


def channel_busy(device: str, channel: int) -> BackendError:
    """The error of a channel that somebody holds."""
    fix = "end the program or overlay that uses it, or give this output another channel"
    return BackendError(f"channel {channel} of {device}", "is in use", fix, errno.EBUSY)


def closed(device: str, channel: int) -> BackendError:
    """The error of a channel that was given back."""
    return BackendError(f"channel {channel} of {device}", "was closed", "open it again", errno.EPERM)
