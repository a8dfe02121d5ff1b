"""The real serial backend: pyserial opens and sets up a port, and the kernel's descriptor is read from then on.

pyserial's own `read` waits in select(2), which ends at descriptor 1023, and says no errno. An unplugged USB adapter
reads as the end of the file, a pseudo-terminal without its other end as EIO.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import termios
from pathlib import Path
from typing import Final

import serial

from axiom_hw.backends.serial_port import closed_port, no_such_port, place_of, port_busy, port_gone
from axiom_hw.board.serial import SerialPort
from axiom_hw.errors import BackendError

_READ: Final = 4096
_TIOCGICOUNT: Final = 0x545D  # the same on all architectures that a Pi may have (asm-generic/ioctls.h)
_COUNTS: Final = struct.Struct("@11i9i")  # struct serial_icounter_struct, linux/serial.h
_FRAME, _OVERRUN, _PARITY, _BUF_OVERRUN = 6, 7, 8, 10
_GONE: Final = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.EBADF)


class PyserialBackend:
    """Ports by path, or by what `sysfs` says is plugged in; both roots are arguments for tests.

    A port that we have is locked (flock(2)) and exclusive (TIOCEXCL), so that neither another run nor a terminal
    program takes half of its bytes.

    Synchronization: none required by the caller.
    """

    def __init__(self, dev: Path = Path("/dev"), sysfs: Path = Path("/sys/class/tty")) -> None:
        self._dev = dev
        self._sysfs = sysfs

    def open(self, port: SerialPort) -> PyserialLink:
        """See `SerialBackend.open`."""
        path = self._path(port)
        if path is None:
            raise no_such_port(port, self._listing())
        try:
            opened = serial.Serial(path, port.baud, timeout=0, exclusive=True)
        except serial.SerialException as error:
            raise self._refusal(port, path, error) from error
        except (termios.error, ValueError) as error:  # what pyserial doesn't wrap
            raise BackendError(
                place_of(port), f"can't be set to {port.baud} baud: {error}", "choose another `baud`", errno.EINVAL
            ) from error
        try:
            fcntl.ioctl(opened.fileno(), termios.TIOCEXCL)
        except OSError as error:
            opened.close()
            raise self._refusal(port, path, error) from error
        return PyserialLink(opened, port)

    def present(self, port: SerialPort) -> bool:
        """See `SerialBackend.present`."""
        try:
            path = self._path(port)
        except BackendError:
            return True  # several: opening tells
        return path is not None and os.path.exists(path)

    def _path(self, port: SerialPort) -> str | None:
        if port.usb is None:
            return port.port
        found = {}
        for tty in sorted(self._sysfs.glob("tty*")):
            words = _usb_of(tty / "device")
            wanted = (f"{port.usb.vendor:04x}", f"{port.usb.product:04x}")
            if words is not None and words[:2] == wanted and port.usb.serial in ("", words[2]):
                found[str(self._dev / tty.name)] = words[2]
        if len(found) > 1:
            serials = ", ".join(f"{path} is {number or 'without a serial number'}" for path, number in found.items())
            raise BackendError(
                place_of(port), f"{len(found)} ports match: {serials}",
                'add the serial number, usb = "vid:pid:serial", or use a path below /dev/serial/by-path', errno.EEXIST,
            )  # fmt: skip
        return next(iter(found), None)

    def _listing(self) -> str:
        found = []
        for tty in sorted(self._sysfs.glob("tty*")):
            words = _usb_of(tty / "device")
            if words is not None:
                found.append(f"{self._dev / tty.name} ({':'.join(word for word in words if word)})")
            elif (tty / "device" / "driver").exists() and (self._dev / tty.name).exists():
                found.append(str(self._dev / tty.name))
        return ", ".join(found)

    def _refusal(self, port: SerialPort, path: str, error: OSError) -> BackendError:
        match error.errno:
            case errno.ENOENT | errno.ENODEV | errno.ENXIO:
                return no_such_port(port, self._listing())
            case errno.EBUSY | errno.EAGAIN:
                return port_busy(port, _holder(path))
            case errno.EACCES | errno.EPERM:
                return BackendError(
                    place_of(port), "may not be opened by this user",
                    "add yourself to the group that owns it, and log in again: sudo usermod -aG dialout $USER",
                    errno.EACCES,
                )  # fmt: skip
            case None:  # pyserial's own words: no terminal, as /dev/ttyS3 of a machine without one
                return BackendError(place_of(port), f"can't be used: {error}", "is it a serial port?", errno.ENOTTY)
            case number:
                what = f"can't be opened: {os.strerror(number)} ({errno.errorcode.get(number, number)})"
                return BackendError(place_of(port), what, "", number)


class PyserialLink:
    """An open port.

    Synchronization: one thread at a time; `fileno` may be waited on meanwhile.
    """

    def __init__(self, opened: serial.Serial, port: SerialPort) -> None:
        self._serial = opened
        self._port = port
        self._is_closed = False
        self._fd: int = opened.fileno()
        os.set_blocking(self._fd, False)
        self._dropped = self._count()

    def read(self) -> bytes:
        """See `SerialLink.read`."""
        self._check_open()
        try:
            found = os.read(self._fd, _READ)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno in _GONE:
                raise port_gone(self._port) from error
            number = error.errno or errno.EIO
            what = f"can't be read: {os.strerror(number)} ({errno.errorcode.get(number, number)})"
            raise BackendError(place_of(self._port), what, "", number) from error
        if not found and self._poll(0) & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
            raise port_gone(self._port)
        return found  # nothing is also what a port gives that has nothing, because pyserial sets VMIN to 0

    def ready(self) -> bool:
        """See `SerialLink.ready`."""
        self._check_open()
        return bool(self._poll(select.POLLIN))

    def fileno(self) -> int:
        """See `SerialLink.fileno`."""
        self._check_open()
        return self._fd

    def overrun(self) -> int:
        """See `SerialLink.overrun`."""
        before, self._dropped = self._dropped, self._count()
        return max(self._dropped - before, 0)

    def close(self) -> None:
        """See `SerialLink.close`."""
        if not self._is_closed:
            self._is_closed = True
            self._serial.close()

    def _poll(self, events: int) -> int:
        """What poll(2) says of the port now: of these events, and whether it was hung up."""
        poll = select.poll()
        poll.register(self._fd, events)
        return sum(found for _, found in poll.poll(0))

    def _count(self) -> int:
        """Bytes that were dropped or damaged since the driver was loaded; 0 where it doesn't count."""
        counts = bytearray(_COUNTS.size)
        try:
            fcntl.ioctl(self._fd, _TIOCGICOUNT, counts)
        except OSError:
            return 0
        numbers = _COUNTS.unpack(counts)
        return sum(numbers[at] for at in (_FRAME, _OVERRUN, _PARITY, _BUF_OVERRUN))

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed_port(self._port)


def _usb_of(device: Path) -> tuple[str, str, str] | None:
    """Vendor, product and serial number of the USB device that a port belongs to, in small letters; None without."""
    if not device.exists():
        return None
    path = device.resolve()
    for directory in (path, *path.parents):
        vendor, product, number = (directory / name for name in ("idVendor", "idProduct", "serial"))
        if vendor.exists() and product.exists():
            text = number.read_text().strip() if number.exists() else ""
            return vendor.read_text().strip().lower(), product.read_text().strip().lower(), text
    return None


def _holder(path: str) -> str:
    """Which process of ours has a port open: `picocom (pid 812)`; others' can't be seen, and nothing is said then."""
    wanted = os.path.realpath(path)
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(fd) == wanted for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:  # it ended, or belongs to somebody else
            continue
    return ""
