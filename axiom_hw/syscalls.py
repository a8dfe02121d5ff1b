"""The system calls of native loops: as plain Python they go through ctypes, compiled they are calls of the C library.

Addresses are plain numbers here, and `PROCESS` is the memory that they mean: all of this process, from address 0. So
a loop that follows addresses is one source for both ways; compiled, `PROCESS` is the null pointer.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

from axiom_hw.bpf.frontend.extern import extern
from axiom_hw.bpf.layout import s32, s64
from axiom_hw.bpf.maps.mem import Mem

_USER_BYTES: Final = 1 << 48  # arm64 gives a process so much, or less; x86-64 half of it
_everything: Any = (ctypes.c_ubyte * _USER_BYTES).from_address(0)
PROCESS: Final = Mem(_everything)

POLLFD_BYTES: Final = 8  # struct pollfd: s32 fd, s16 events, s16 revents
POLLFD_REVENTS: Final = 6
POLLIN: Final = 1
CLOCK_MONOTONIC: Final = 1
EINTR: Final = 4
EAGAIN: Final = 11
ENODEV: Final = 19


def address_of(mem: Mem) -> int:
    """Where a writable memory lies. Whoever keeps the address keeps the memory, too."""
    return ctypes.addressof(ctypes.c_ubyte.from_buffer(mem.u8))


_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.read.restype = ctypes.c_ssize_t


def _said(result: int) -> int:
    return result if result >= 0 else -ctypes.get_errno()


# Each gives what the system call does: a negative errno where it failed. `at` and `fds` are addresses.


@extern("poll", errno=True)
def poll(fds: int, count: int, timeout_ms: s32) -> s32:
    """How many of `count` pollfds are ready. A timeout below 0 is none."""
    return _said(_LIBC.poll(ctypes.c_void_p(fds), ctypes.c_ulong(count), ctypes.c_int(timeout_ms)))


@extern("read", errno=True)
def read(fd: s32, at: int, count: int) -> s64:
    """How many bytes were read; 0 at the end of the file."""
    return _said(_LIBC.read(ctypes.c_int(fd), ctypes.c_void_p(at), ctypes.c_size_t(count)))


@extern("ioctl", errno=True)
def ioctl(fd: s32, request: int, at: int) -> s32:
    """0, for those that we make."""
    return _said(_LIBC.ioctl(ctypes.c_int(fd), ctypes.c_ulong(request), ctypes.c_void_p(at)))


@extern("clock_gettime", errno=True)
def clock_gettime(clock: s32, at: int) -> s32:
    """A `struct timespec` at `at`: u64 seconds, u64 ns."""
    return _said(_LIBC.clock_gettime(ctypes.c_int(clock), ctypes.c_void_p(at)))
