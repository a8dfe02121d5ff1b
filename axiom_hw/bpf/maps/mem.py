"""Flat memory, and the raw loads, stores and atomics that map operations are written in.

Map operations are module-level functions on `Mem`s and ints that touch memory through these primitives alone: run as
they stand they serve the interpreter and the tests; compiled, a `Mem` is a pointer, an offset an i64, and a primitive
one machine instruction. In that reading loads acquire, stores release, read-modify-writes do both, `equal` and `copy`
end with an acquire fence. A value that is stored must fit its width.

Primitives check nothing, like a pointer: whoever calls them knows that the bytes are there.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from axiom_hw.errors import MapError

U32_MASK: Final = (1 << 32) - 1

Buffer = bytes | bytearray | memoryview | mmap.mmap


@dataclass(frozen=True, slots=True)
class Window:
    """Which bytes of a `Mem` programs may touch: `count` values, the first at `origin`, one every `stride` bytes.

    `n` bytes at offset `o` lie in it if `o >= origin`, `(o - origin) // stride < count` and
    `(o - origin) % stride + n <= extent`.
    """

    origin: int
    stride: int
    extent: int
    count: int


class Mem:
    """A block of memory seen as bytes and as little-endian words: `u8[i]`, `u16[i]`, `u32[i]`, `u64[i]`.

    `size` is in bytes; the word views cover the whole words in it. Its base is aligned to 8 bytes where it comes
    from `anonymous`, `create` or `open`.

    Synchronization: see the primitives. The views alias one another and the buffer.
    """

    __slots__ = ("_address", "size", "u8", "u16", "u32", "u64")

    def __init__(self, buffer: Buffer) -> None:
        """Over a buffer that exists already; the memory is read-only where the buffer is."""
        self.u8 = memoryview(buffer).cast("B")
        self.size = len(self.u8)
        self.u16 = _words(self.u8, "H", 2)
        self.u32 = _words(self.u8, "I", 4)
        self.u64 = _words(self.u8, "Q", 8)
        self._address: int | None = None

    @classmethod
    def anonymous(cls, size: int) -> Self:
        """`size` zero bytes, on pages of their own; children made by `fork` share them."""
        return cls(mmap.mmap(-1, size))

    @classmethod
    def create(cls, path: Path, size: int) -> Self:
        """`size` zero bytes in a new file that every process which opens it shares, and only its owner may open.

        Raises `MapError` where the file exists or can't be made.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise MapError(str(path), "exists already", "open it with Mem.open, or remove it") from None
        except OSError as error:
            raise MapError(str(path), f"can't be created: {error.strerror}") from None
        try:
            os.ftruncate(fd, size)
            return cls(mmap.mmap(fd, size))
        except OSError as error:
            os.unlink(path)
            raise MapError(str(path), f"can't hold {size} bytes: {error.strerror}") from None
        finally:
            os.close(fd)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The bytes of a file, shared. Raises `MapError` where it is missing, empty or not permitted."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise MapError(str(path), f"can't be opened: {error.strerror}") from None
        try:
            size = os.fstat(fd).st_size
            if size == 0:
                raise MapError(str(path), "is empty, so it holds no map")
            return cls(mmap.mmap(fd, size))
        except OSError as error:
            raise MapError(str(path), f"can't be mapped: {error.strerror}") from None
        finally:
            os.close(fd)

    @property
    def address(self) -> int:
        """Of its first byte in this process. Who keeps the address keeps the memory too; it must be writable."""
        if self._address is None:
            self._address = ctypes.addressof(ctypes.c_ubyte.from_buffer(self.u8))
        return self._address

    @property
    def readonly(self) -> bool:
        """Whether a store would fail."""
        return self.u8.readonly


def _words(view: memoryview, code: Literal["H", "I", "Q"], width: int) -> memoryview:
    whole = view.nbytes - view.nbytes % width
    return view[:whole].cast(code) if whole else memoryview(array(code))  # an empty view can't be cast


def load_u8(m: Mem, off: int) -> int:
    """The byte at `off`."""
    return m.u8[off]


def load_u16(m: Mem, off: int) -> int:
    """The 2 bytes at `off`, a multiple of 2."""
    return m.u16[off >> 1]


def load_u32(m: Mem, off: int) -> int:
    """The 4 bytes at `off`, a multiple of 4."""
    return m.u32[off >> 2]


def load_u64(m: Mem, off: int) -> int:
    """The 8 bytes at `off`, a multiple of 8."""
    return m.u64[off >> 3]


# The same from anywhere, such as the key that a program keeps on its stack; aligned words aren't torn.


def get_u16(m: Mem, off: int) -> int:
    """The 2 bytes at `off`, which needn't be aligned."""
    return int.from_bytes(m.u8[off : off + 2], "little") if off & 1 else m.u16[off >> 1]


def get_u32(m: Mem, off: int) -> int:
    """The 4 bytes at `off`, which needn't be aligned."""
    return int.from_bytes(m.u8[off : off + 4], "little") if off & 3 else m.u32[off >> 2]


def get_u64(m: Mem, off: int) -> int:
    """The 8 bytes at `off`, which needn't be aligned."""
    return int.from_bytes(m.u8[off : off + 8], "little") if off & 7 else m.u64[off >> 3]


def store_u8(m: Mem, off: int, value: int) -> None:
    """Set the byte at `off`."""
    m.u8[off] = value


def store_u16(m: Mem, off: int, value: int) -> None:
    """Set the 2 bytes at `off`, a multiple of 2."""
    m.u16[off >> 1] = value


def store_u32(m: Mem, off: int, value: int) -> None:
    """Set the 4 bytes at `off`, a multiple of 4."""
    m.u32[off >> 2] = value


def store_u64(m: Mem, off: int, value: int) -> None:
    """Set the 8 bytes at `off`, a multiple of 8."""
    m.u64[off >> 3] = value


# Read-modify-writes. CPython hands the GIL over only where a function is entered, after a call, and on a jump
# backwards. Between the read and the write of each of these there is no such place: indexing a memoryview and
# arithmetic on ints run no Python code. So they are atomic among the threads of a process. They aren't among
# processes (the words that processes share have one writer each, or a native one), nor in a free-threaded build.
# Nor beside native code that runs without the GIL: whoever starts such code makes them real ones first.


@dataclass(frozen=True, slots=True)
class Atomics:
    """The read-modify-writes as machine instructions, on an address in the place of a `Mem` and an offset."""

    cas_u32: Callable[[int, int, int], bool]
    cas_u64: Callable[[int, int, int], bool]
    fetch_add_u32: Callable[[int, int], int]
    fetch_add_u64: Callable[[int, int], int]
    exchange_u32: Callable[[int, int], int]
    exchange_u64: Callable[[int, int], int]


_real: Atomics | None = None


def use_atomics(real: Atomics) -> None:
    """From now on, in all of this process, read-modify-writes are atomic among threads that hold no GIL as well."""
    global _real
    _real = real


def cas_u32(m: Mem, off: int, old: int, new: int) -> bool:
    """Set the u32 at `off`, a multiple of 4, to `new` if it is `old`. Whether it was."""
    if _real is not None:
        return _real.cas_u32(m.address + off, old, new)
    words = m.u32
    index = off >> 2
    if words[index] == old:
        words[index] = new
        return True
    return False


def cas_u64(m: Mem, off: int, old: int, new: int) -> bool:
    """Set the u64 at `off`, a multiple of 8, to `new` if it is `old`. Whether it was."""
    if _real is not None:
        return _real.cas_u64(m.address + off, old, new)
    words = m.u64
    index = off >> 3
    if words[index] == old:
        words[index] = new
        return True
    return False


def fetch_add_u32(m: Mem, off: int, n: int) -> int:
    """Add `n`, which may be negative, to the u32 at `off`, modulo 2**32. What it was."""
    if _real is not None:
        return _real.fetch_add_u32(m.address + off, n)
    words = m.u32
    index = off >> 2
    was = words[index]
    words[index] = (was + n) & 0xFFFFFFFF
    return was


def fetch_add_u64(m: Mem, off: int, n: int) -> int:
    """Add `n`, which may be negative, to the u64 at `off`, modulo 2**64. What it was."""
    if _real is not None:
        return _real.fetch_add_u64(m.address + off, n)
    words = m.u64
    index = off >> 3
    was = words[index]
    words[index] = (was + n) & 0xFFFFFFFFFFFFFFFF
    return was


def exchange_u32(m: Mem, off: int, new: int) -> int:
    """Set the u32 at `off`. What it was."""
    if _real is not None:
        return _real.exchange_u32(m.address + off, new)
    words = m.u32
    index = off >> 2
    was = words[index]
    words[index] = new
    return was


def exchange_u64(m: Mem, off: int, new: int) -> int:
    """Set the u64 at `off`. What it was."""
    if _real is not None:
        return _real.exchange_u64(m.address + off, new)
    words = m.u64
    index = off >> 3
    was = words[index]
    words[index] = new
    return was


def copy(dst: Mem, dst_off: int, src: Mem, src_off: int, n: int) -> None:
    """Copy `n` bytes; the ranges may overlap. Aligned words are never torn, longer values may be."""
    if n == 8 and not (dst_off | src_off) & 7:
        dst.u64[dst_off >> 3] = src.u64[src_off >> 3]
    elif n == 4 and not (dst_off | src_off) & 3:
        dst.u32[dst_off >> 2] = src.u32[src_off >> 2]
    else:
        dst.u8[dst_off : dst_off + n] = src.u8[src_off : src_off + n]


def equal(a: Mem, a_off: int, b: Mem, b_off: int, n: int) -> bool:
    """Whether `n` bytes are the same."""
    if n == 4 and not (a_off | b_off) & 3:
        return a.u32[a_off >> 2] == b.u32[b_off >> 2]
    if n == 8 and not (a_off | b_off) & 7:
        return a.u64[a_off >> 3] == b.u64[b_off >> 3]
    return a.u8[a_off : a_off + n] == b.u8[b_off : b_off + n]


def zero(m: Mem, off: int, n: int) -> None:
    """Clear `n` bytes."""
    m.u8[off : off + n] = bytes(n)
