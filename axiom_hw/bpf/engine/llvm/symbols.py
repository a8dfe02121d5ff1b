"""What an object file of ours leaves undefined, and where this process has it.

A symbol that nobody defines would become address 0, and crash when it is called: so all are looked up before linking.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from axiom_hw.errors import SpecError

# ELF64: the header, a section header, a symbol (System V ABI, chapters 4 and 5).
_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_SHT_SYMTAB: Final = 2
_SHN_UNDEF: Final = 0
_LINKER: Final = "_GLOBAL_OFFSET_TABLE_"  # the linker's own

# What compiled code may call besides its helpers: CPython's public interface, what LLVM makes of copies and clocks, and
# the system calls of natives and native loops.
PYTHON: Final = frozenset((
    "PyBuffer_Release", "PyBytes_Type", "PyErr_Clear", "PyEval_RestoreThread", "PyEval_SaveThread",
    "PyLong_FromSsize_t", "PyLong_FromUnsignedLongLong", "PyObject_CallMethod", "PyObject_GetBuffer",
    "PyObject_Vectorcall",
))  # fmt: skip
LIBC: Final = frozenset((
    "__errno_location", "bcmp", "clock_gettime", "ioctl", "memcmp", "memcpy", "memmove", "memset", "poll", "read",
))  # fmt: skip


def undefined(image: bytes) -> tuple[str, ...]:
    """The names that an ELF64 object of this machine's byte order needs from outside."""
    header = _HEADER.unpack_from(image)
    at, size, count = header[6], header[11], header[12]
    sections = [_SECTION.unpack_from(image, at + n * size) for n in range(count)]
    for _, kind, _, _, start, length, link, *_ in sections:
        if kind == _SHT_SYMTAB:
            names = sections[link][4]
            rows = (_SYMBOL.unpack_from(image, where) for where in range(start, start + length, _SYMBOL.size))
            found = (_text(image, names + name) for name, _, _, home, _, _ in rows if home == _SHN_UNDEF and name)
            return tuple(sorted(name for name in found if name != _LINKER))
    return ()


def resolve(needs: Iterable[str], given: Mapping[str, int], place: str) -> dict[str, int]:
    """The address of each name: one that is `given`, or Python's or libc's. Raises `SpecError` where there is none."""
    found = {}
    for name in needs:
        address = given.get(name) or _address(name)
        if not address:
            raise SpecError(
                place, f"native code needs `{name}`, which nothing here defines", "run it with --engine interp"
            )
        found[name] = address
    return found


@cache
def _address(name: str) -> int:
    if name not in PYTHON and name not in LIBC:
        return 0
    library = ctypes.pythonapi if name in PYTHON else ctypes.CDLL(None)
    try:
        return ctypes.addressof(ctypes.c_char.in_dll(library, name))
    except ValueError:
        return 0


def _text(image: bytes, at: int) -> str:
    return image[at : image.index(b"\0", at)].decode("ascii")
