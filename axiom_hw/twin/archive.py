"""The archive that the kernel unpacks as its first root: cpio in the format "newc", written without any tool.

Documentation/driver-api/early-userspace/buffer-format.rst. Archives may follow one another, so what is said at each
boot goes behind what was built once.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field

_CONSOLE = (5, 1)  # Documentation/admin-guide/devices.txt


@dataclass(slots=True)
class Archive:
    """Files by their path, without a slash at the start. Synchronization: one thread at a time."""

    _parts: list[bytes] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)

    def add(self, path: str, content: bytes, mode: int = 0o644, *, link: bool = False) -> None:
        """Add a file, or a symbolic link to what `content` says, and the directories above it."""
        self._above(path)
        self._entry(path, stat.S_IFLNK | 0o777 if link else stat.S_IFREG | mode, content)

    def add_console(self) -> None:
        """Add /dev/console, which the kernel opens before anything could have made it."""
        self._above("dev/console")
        self._entry("dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE)

    def add_directory(self, path: str) -> None:
        """Add an empty directory."""
        self._above(path + "/")

    def to_bytes(self) -> bytes:
        """The archive with its end mark."""
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)

    def _above(self, path: str) -> None:
        steps = path.split("/")[:-1]
        for count in range(1, len(steps) + 1):
            directory = "/".join(steps[:count])
            if directory not in self._known:
                self._known.add(directory)
                self._entry(directory, stat.S_IFDIR | 0o755)

    def _entry(self, path: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        name = path.encode() + b"\0"
        inode = len(self._parts) + 1  # only equal numbers mean something: a hard link
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % number for number in fields) + name
        self._parts.append(_padded(head) + _padded(content))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
