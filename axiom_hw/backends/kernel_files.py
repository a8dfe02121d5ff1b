"""Files of the kernel below /sys and /dev, as backends touch them: a seam for trees that stand in for them."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Final, Protocol

_IIO_GET_EVENT_FD: Final = 0x80046990  # _IOR('i', 0x90, int), include/uapi/linux/iio/events.h


class Files(Protocol):
    """Each raises `OSError`. Synchronization: none required by the caller."""

    def read(self, path: Path) -> str:
        """The text of a file, without the newline at its end."""
        ...

    def write(self, path: Path, text: str) -> None:
        """Write in one write(2), as sysfs takes it."""
        ...

    def names(self, folder: Path) -> tuple[str, ...]:
        """What is in a directory, sorted; nothing where there is none."""
        ...

    def make(self, folder: Path) -> None:
        """Make a directory, which in configfs makes an object."""
        ...

    def remove(self, folder: Path) -> None:
        """Remove a directory."""
        ...

    def open(self, path: Path) -> int:
        """A descriptor of a device, for reading without waiting."""
        ...

    def event_descriptor(self, fd: int) -> int:
        """The descriptor of an IIO device's own events."""
        ...


class KernelFiles:
    """The real ones. Synchronization: none needed."""

    def read(self, path: Path) -> str:
        """See `Files.read`."""
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\n\0")

    def write(self, path: Path, text: str) -> None:
        """See `Files.write`."""
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def names(self, folder: Path) -> tuple[str, ...]:
        """See `Files.names`."""
        try:
            return tuple(sorted(os.listdir(folder)))
        except FileNotFoundError:
            return ()

    def make(self, folder: Path) -> None:
        """See `Files.make`."""
        folder.mkdir()

    def remove(self, folder: Path) -> None:
        """See `Files.remove`."""
        folder.rmdir()

    def open(self, path: Path) -> int:
        """See `Files.open`."""
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def event_descriptor(self, fd: int) -> int:
        """See `Files.event_descriptor`."""
        answer = fcntl.ioctl(fd, _IIO_GET_EVENT_FD, struct.pack("i", -1))
        (found,) = struct.unpack("i", answer)
        os.set_blocking(found, False)
        return int(found)
