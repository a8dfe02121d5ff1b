"""The system calls of native loops: as plain Python they go through ctypes, compiled they are calls of the C library.

Addresses are plain numbers here, and `PROCESS` is the memory that they mean: all of this process, from address 0. So
a loop that follows addresses is one source for both ways; compiled, `PROCESS` is the null pointer.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any, Final

from axiom_hw.bpf.maps.mem import Mem, load_u32

_USER_BYTES: Final = 1 << 47  # what x86-64 and arm64 give to a process, or less
_everything: Any = (ctypes.c_ubyte * _USER_BYTES).from_address(0)
PROCESS: Final = Mem(_everything)

POLLFD_BYTES: Final = 8  # struct pollfd: s32 fd, s16 events, s16 revents
POLLFD_REVENTS: Final = 6
POLLIN: Final = 1
CLOCK_MONOTONIC: Final = 1
EINTR: Final = 4
EAGAIN: Final = 11
_MINUS: Final = 1 << 31  # the sign of a C int, in a register whose upper half means nothing


def address_of(mem: Mem) -> int:
    """Where a writable memory lies. Whoever keeps the address keeps the memory, too."""
    return ctypes.addressof(ctypes.c_ubyte.from_buffer(mem.u8))


class _Errno(threading.local):
    """The errno of each thread. Python's own lies elsewhere: whatever Python does between two calls would change it."""

    def __init__(self) -> None:
        self.number = ctypes.c_uint()


_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.read.restype = ctypes.c_ssize_t
_errno: Final = _Errno()


def _kept(result: int) -> int:
    _errno.number.value = ctypes.get_errno()
    return result


# What native code declares and calls.


def c_poll(fds: int, count: int, timeout_ms: int) -> int:
    """poll(2) over `count` pollfds at the address `fds`."""
    return _kept(_LIBC.poll(ctypes.c_void_p(fds), ctypes.c_ulong(count), ctypes.c_int(timeout_ms)))


def c_read(fd: int, at: int, count: int) -> int:
    """read(2) of up to `count` bytes to the address `at`."""
    return _kept(_LIBC.read(ctypes.c_int(fd), ctypes.c_void_p(at), ctypes.c_size_t(count)))


def c_ioctl(fd: int, request: int, at: int) -> int:
    """ioctl(2) with the address `at` for its argument."""
    return _kept(_LIBC.ioctl(ctypes.c_int(fd), ctypes.c_ulong(request), ctypes.c_void_p(at)))


def c_clock_gettime(clock: int, at: int) -> int:
    """clock_gettime(2) to the `struct timespec` at the address `at`."""
    return _kept(_LIBC.clock_gettime(ctypes.c_int(clock), ctypes.c_void_p(at)))


def c_errno_location() -> int:
    """The address of this thread's errno."""
    return ctypes.addressof(_errno.number)


# The same with the error in the result, as the kernel has it. `m` is `PROCESS`.


def poll(m: Mem, fds: int, count: int, timeout_ms: int) -> int:
    """How many of the descriptors are ready, or a negative errno. A timeout below 0 is none."""
    ready = c_poll(fds, count, timeout_ms)
    if ready & _MINUS != 0:
        return -load_u32(m, c_errno_location())
    return ready & (_MINUS - 1)


def read(m: Mem, fd: int, at: int, count: int) -> int:
    """How many bytes were read, 0 at the end of the file, or a negative errno."""
    n = c_read(fd, at, count)
    if n & _MINUS != 0:  # `count` is far below 2 GiB
        return -load_u32(m, c_errno_location())
    return n


def ioctl(m: Mem, fd: int, request: int, at: int) -> int:
    """0, or a negative errno."""
    if c_ioctl(fd, request, at) & _MINUS != 0:
        return -load_u32(m, c_errno_location())
    return 0
