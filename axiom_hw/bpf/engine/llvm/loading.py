"""Code in memory: put there in some ten microseconds, and given back when nobody holds it any more.

An image and its slots are written to a file that has no name and lies in memory, and the file is mapped to be read and
executed. So no page of ours was ever writable where it is executable, and systems that refuse to make written memory
executable (systemd's MemoryDenyWriteExecute, SELinux's execmem) accept it.

It is what the dynamic linker does with shared libraries, and what makes the instruction caches of an AArch64 agree: a
page of a file that was written is cleaned from the data cache, and the instruction caches are invalidated, before the
kernel maps it executable for the first time (arch/arm64/mm/flush.c, `__sync_icache_dcache`). `MAP_POPULATE` lets that
happen here, and not during an event. Then each processor that runs a thread of this process has to drop what it
fetched ahead, as a new program may lie where an old one did: `membarrier` has a command for it, meant for compilers
(membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE). On x86-64 fetching follows memory by itself.

Synchronization: any thread. No lock is taken; code that nobody holds is unmapped by the next load, never by a thread
that dispatches events, nor while Python ends and threads of native code may still run.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import Final

from axiom_hw.bpf.engine.llvm.code import Code, CompileError

_INTERP: Final = "allow it, or run with --engine interp"
_MFD_EXEC: Final = 0x10  # since Linux 6.3 (linux/memfd.h); before, all such files can be mapped so
_NAME_BYTES: Final = 200  # of a file in memory; the kernel takes 249
_FAILED: Final = ctypes.c_void_p(-1).value

_SYS_MEMBARRIER: Final = 283  # of AArch64 (asm-generic/unistd.h)
_SYNC_CORE: Final = 1 << 5
_REGISTER_SYNC_CORE: Final = 1 << 6

_libc: Final = ctypes.CDLL(None, use_errno=True)
_mmap: Final = _libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_munmap: Final = _libc.munmap
_munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


class Library:
    """Code in memory. `addresses` are those of its exported functions, valid for as long as this object lives."""

    __slots__ = ("_bytes", "_start", "addresses")

    def __init__(self, start: int, size: int, addresses: Mapping[str, int]) -> None:
        self._start = start
        self._bytes = size
        self.addresses = addresses

    def __del__(self) -> None:
        _dead.append((self._start, self._bytes))


_dead: Final[deque[tuple[int, int]]] = deque()  # start and size, to be unmapped by whoever loads next


def load(code: Code, addresses: Mapping[str, int], place: str) -> Library:
    """Put code in memory, with the address of each name that it needs. `place` is the program, for errors and maps.

    Raises `CompileError` where the system maps no code.
    """
    reap()
    slots = struct.pack(f"<{len(code.needs)}Q", *[addresses[name] for name in code.needs])
    content = code.image + slots
    try:
        start = _mapped(content, place)
    except OSError as error:
        raise CompileError(place, f"its code can't be put in memory: {error.strerror}", _INTERP) from error
    return Library(start, len(content), {name: start + offset for name, offset in code.exports})


def reap() -> None:
    """Unmap what nobody holds any more. Loading does it as well."""
    while _dead:
        try:
            start, size = _dead.popleft()
        except IndexError:
            return  # another thread took the last one
        _munmap(start, size)


def why_not() -> str:
    """Why no code can be mapped here, as the rest of a sentence; empty if it can."""
    try:
        _munmap(_mapped(b"\0", "test"), 1)
    except OSError as error:
        return f"the system lets this process map no code: {error.strerror}"
    return ""


def _mapped(content: bytes, name: str) -> int:
    """The address of a new mapping. Raises `OSError`."""
    shown = name.encode("ascii", "replace").decode().replace("\0", "?")
    fd = _memory_file(f"axiom:{shown[:_NAME_BYTES]}")
    try:
        with memoryview(content) as rest:
            done = os.write(fd, rest)
            while done < len(rest):
                done += os.write(fd, rest[done:])
        flags = mmap.MAP_PRIVATE | mmap.MAP_POPULATE
        start: int = _mmap(None, len(content), mmap.PROT_READ | mmap.PROT_EXEC, flags, fd, 0)
        if start == _FAILED:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(fd)
    if _fetches_ahead():
        _libc.syscall(_SYS_MEMBARRIER, _SYNC_CORE, 0, 0)
    return start


def _memory_file(name: str) -> int:
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC | _MFD_EXEC)
    except OSError:
        return os.memfd_create(name, os.MFD_CLOEXEC)


@cache
def _fetches_ahead() -> bool:
    """Whether processors must be told of new code, and can be: the kernel has the command since 4.16."""
    return platform.machine() == "aarch64" and _libc.syscall(_SYS_MEMBARRIER, _REGISTER_SYNC_CORE, 0, 0) == 0
