"""What operations on maps return, and `Table`: the protocol that engines and consumers hold keyed maps by."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final, Protocol

from axiom_hw.bpf.maps.mem import Mem, Window
from axiom_hw.bpf.spec import MapSpec

# Flags of an update (include/uapi/linux/bpf.h).
ANY, NOEXIST, EXIST = 0, 1, 2

# What operations return for failures: Linux's numbers, negative.
EPERM: Final = -errno.EPERM
ENOENT: Final = -errno.ENOENT
E2BIG: Final = -errno.E2BIG
EAGAIN: Final = -errno.EAGAIN
ENOMEM: Final = -errno.ENOMEM
EEXIST: Final = -errno.EEXIST
EINVAL: Final = -errno.EINVAL
ENOSPC: Final = -errno.ENOSPC
ENOTSUPP: Final = -524  # include/linux/errno.h; the kernel's own, which libc doesn't name


class Table(Protocol):
    """A live map with keys: a declaration, the memory that it lies in, and its operations.

    Keys and values are passed as a memory and an offset in it; `key_size` and `value_size` bytes must be there.
    """

    @property
    def spec(self) -> MapSpec: ...

    @property
    def mem(self) -> Mem: ...

    @property
    def values(self) -> Window:
        """Which bytes of `mem` programs may touch through pointers to values."""
        ...

    def lookup(self, key: Mem, key_off: int) -> int:
        """The offset in `mem` of a key's value, or 0."""
        ...

    def update(self, key: Mem, key_off: int, value: Mem, value_off: int, flags: int) -> int:
        """Set a key's value; flags ANY, NOEXIST (only if absent), EXIST (only if present). 0 or -errno."""
        ...

    def delete(self, key: Mem, key_off: int) -> int:
        """Remove a key. 0 or -errno."""
        ...

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values."""
        ...

    def __len__(self) -> int:
        """How many entries it has."""
        ...
