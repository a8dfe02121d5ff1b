"""Where this process has what code of ours needs from outside.

A name that nobody defines would be address 0, and a crash when it is called: so all are looked up before loading.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from axiom_hw.errors import SpecError

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
