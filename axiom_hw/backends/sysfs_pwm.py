"""The real PWM backend: /sys/class/pwm, chips found by the name of their device.

Every write to a channel is checked by the kernel against the whole state (period not 0, duty not longer), so the
order of the writes matters. Documentation/driver-api/pwm.rst, drivers/pwm/{core,sysfs}.c.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from axiom_hw.backends.pwm import (
    PwmState,
    channel_busy,
    check_state,
    closed,
    no_such_channel,
    no_such_device,
)
from axiom_hw.board import Polarity
from axiom_hw.board.pins import FAN
from axiom_hw.errors import BackendError

_PAUSE_NS: Final = 20_000_000
_PAUSES: Final = 500  # 10 s: udev hands the files of a new channel to the group gpio some time after the export
_POLARITY: Final = {Polarity.NORMAL: "normal", Polarity.INVERSED: "inversed"}
_FIXES: Final = {
    errno.EACCES: "add yourself to the group that owns it, and log in again: sudo usermod -aG gpio $USER",
    errno.EROFS: "/sys is read-only here: a systemd unit needs ProtectKernelTunables=no",
}


def write_file(path: Path, text: str) -> None:
    """One value, in the one write(2) that sysfs takes it in."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def sleep_ns(duration_ns: int) -> None:
    """Wait on the real clock."""
    time.sleep(duration_ns / 1e9)


class SysfsPwm:
    """PWM chips below `root`. `pause` waits for udev, `write` writes a file; both are there for tests.

    An exported channel stays exported when its process is killed, so that alone doesn't make it somebody's: who uses
    a channel holds a lock (flock(2)) on its `enable` file, which the kernel drops with the process.

    Synchronization: none required by the caller; the lock lets only one of two `open` have a channel.
    """

    def __init__(
        self,
        root: Path = Path("/sys/class/pwm"),
        pause: Callable[[int], None] = sleep_ns,
        write: Callable[[Path, str], None] = write_file,
    ) -> None:
        self._root = root
        self._pause = pause
        self._write = write

    def open(self, device: str, channel: int) -> SysfsPwmOutput:
        """See `PwmBackend.open`. Waits up to 10 s until udev has handed a new channel over."""
        if device == FAN:
            raise BackendError(
                f"pwm {device}", "drives the Pi's own fan: the kernel keeps the processor cool by it",
                "the PWM of the header is 1f00098000.pwm", errno.EPERM,
            )  # fmt: skip
        chips = {os.path.basename(os.path.realpath(path / "device")): path for path in self._root.glob("pwmchip*")}
        if device not in chips:
            raise no_such_device(device, chips, channel)
        chip = chips[device]
        place = f"channel {channel} of {device}"
        try:
            channels = int((chip / "npwm").read_text())
            if not 0 <= channel < channels:
                raise no_such_channel(device, channel, channels)
            self._write(chip / "export", str(channel))
        except OSError as error:
            if isinstance(error, BackendError):
                raise
            if error.errno == errno.ENODEV:
                raise no_such_channel(device, channel, channels) from error
            if error.errno != errno.EBUSY:
                raise failed(place, "can't be exported", error) from error
            if not (chip / f"pwm{channel}").exists():  # a driver of the kernel has it, such as the fan's
                raise channel_busy(device, channel) from error
        files = chip / f"pwm{channel}"
        self._wait_for_udev(files, place, chip, channel)
        lock = _lock(files / "enable")
        if lock is None:
            raise channel_busy(device, channel)
        return SysfsPwmOutput(device, channel, chip, self._write, lock)

    def _wait_for_udev(self, files: Path, place: str, chip: Path, channel: int) -> None:
        names = ("period", "duty_cycle", "polarity", "enable")
        for _ in range(_PAUSES):
            if all(os.access(files / name, os.W_OK) for name in names):
                return
            self._pause(_PAUSE_NS)
        self._write(chip / "unexport", str(channel))
        raise BackendError(
            place, "was exported, but its files can't be written after 10 s", _FIXES[errno.EACCES], errno.EACCES
        )


class SysfsPwmOutput:
    """An exported channel that is ours until `close`.

    Synchronization: calls on one channel must not overlap: a state takes several writes.
    """

    def __init__(self, device: str, channel: int, chip: Path, write: Callable[[Path, str], None], lock: int) -> None:
        """`lock` is the descriptor that makes the channel ours; it is closed with the channel."""
        self._lock = lock
        self._device = device
        self._channel = channel
        self._chip = chip
        self._files = chip / f"pwm{channel}"
        self._write = write
        self._place = f"channel {channel} of {device}"
        self._is_closed = False
        self._now: PwmState | None = None  # None: not known, as after a write that failed half-way

    def apply(self, state: PwmState) -> None:
        """See `PwmOutput.apply`. The period and duty of a running channel change one after the other."""
        check_state(self._place, state)
        now = self.state()
        self._now = None
        if now.enabled and (not state.enabled or state.polarity is not now.polarity):
            self._put("enable", "0")  # first, so that nothing of what follows shows on the pin
            now = PwmState(now.period_ns, now.duty_ns, False, now.polarity)
        # Between the two writes the duty must fit both periods: shrink it first, or grow the period first.
        if state.period_ns >= now.duty_ns:
            order = (("period", now.period_ns, state.period_ns), ("duty_cycle", now.duty_ns, state.duty_ns))
        else:
            order = (("duty_cycle", now.duty_ns, state.duty_ns), ("period", now.period_ns, state.period_ns))
        for name, old, new in order:
            if old != new:
                self._put(name, str(new))
        if state.polarity is not now.polarity:
            self._put("polarity", _POLARITY[state.polarity])
        if state.enabled is not now.enabled:
            self._put("enable", str(int(state.enabled)))
        self._now = state

    def state(self) -> PwmState:
        """See `PwmOutput.state`."""
        if self._is_closed:
            raise closed(self._device, self._channel)
        if self._now is None:
            polarity = Polarity.INVERSED if self._get("polarity") == "inversed" else Polarity.NORMAL
            period_ns, duty_ns = int(self._get("period")), int(self._get("duty_cycle"))
            self._now = PwmState(period_ns, duty_ns, self._get("enable") == "1", polarity)
        return self._now

    def close(self) -> None:
        """See `PwmOutput.close`. A second time does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._write(self._chip / "unexport", str(self._channel))
        except OSError as error:
            raise failed(self._place, "can't be given back", error) from error
        finally:
            os.close(self._lock)

    def _put(self, name: str, text: str) -> None:
        try:
            self._write(self._files / name, text)
        except OSError as error:
            raise failed(self._place, f"`{name}` can't be set to {text}", error) from error

    def _get(self, name: str) -> str:
        try:
            return (self._files / name).read_text().strip()
        except OSError as error:
            raise failed(self._place, f"`{name}` can't be read", error) from error


def _lock(path: Path) -> int | None:
    """A descriptor that holds the file's lock; None where somebody else does."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def failed(place: str, what: str, error: OSError) -> BackendError:
    """An error of the kernel's, with what was tried."""
    number = error.errno or errno.EIO
    name = errno.errorcode.get(number, "?")
    reason = error.strerror or os.strerror(number)
    return BackendError(place, f"{what}: {reason} ({name})", _FIXES.get(number, ""), number)
