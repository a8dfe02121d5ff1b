"""Builtin functions made at run time: Python calls native code as it calls `len`, a fifth of what ctypes costs.

A builtin is made by `PyCFunction_NewEx` from a `PyMethodDef`. It holds one object, its `self`, which here keeps the
program's code alive. The functions themselves are the same for all programs, and stay.

What native code reads of an object without asking CPython is checked here, once, against objects that are known: a
`bytes` has its type at 8, its length at 16 and its first byte at 32, a `ctypes` structure the address of its fields
at 16. So it has been from Python 2.5 on, on 64 bits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final

TYPE_AT: Final = 8
LENGTH_AT: Final = 16
BYTES_AT: Final = 32
SMALL_INT_SHIFT: Final = 5  # CPython has one object for each small int, side by side, every 32 bytes
SMALL_INT_COUNT: Final = 256
GATE_AT: Final = 16  # the address of a structure's fields

_METH_KEYWORDS: Final = 0x02
_METH_FASTCALL: Final = 0x80

_NEW: Final = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


class Gate(ctypes.Structure):
    """The `self` of a builtin that enters a program, as native code sees it.

    `ctx_bytes` is the size of a context that native code may read where it lies; one that no `bytes` has, where it
    may read none. `small_ints` counts the ints that lie side by side, 0 where they don't. A subclass is called with
    arguments that aren't as usual, and has `failed(slot, begun=1)`.
    """

    _fields_ = (
        ("slots", ctypes.c_uint64),
        ("ctx_bytes", ctypes.c_uint64),
        ("program", ctypes.c_void_p),
        ("run_batch", ctypes.c_void_p),
        ("states", ctypes.c_void_p),
        ("small_ints", ctypes.c_uint64),
    )


class MethodDef(ctypes.Structure):
    """PyMethodDef (Include/methodobject.h)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def method_def(name: str, address: int) -> MethodDef:
    """For a native function `PyObject *(self, PyObject **args, Py_ssize_t nargs, PyObject *kwnames)`.

    It must live as long as any builtin that is made of it.
    """
    return MethodDef(name.encode(), address, _METH_FASTCALL | _METH_KEYWORDS, None)


def make_builtin(definition: MethodDef, gate: Gate) -> Callable[..., Any]:
    """The builtin. `gate` becomes its `self`: what it holds lives as long as the builtin."""
    made: Callable[..., Any] = _NEW(ctypes.addressof(definition), gate, None)
    return made


@cache
def small_ints() -> tuple[int, int]:
    """Where the int 0 lies, and how many ints lie side by side from there: `SMALL_INT_COUNT`.

    An address that no object has, and 0, where they don't.
    """
    zero = id(0)
    together = all(id(n) == zero + (n << SMALL_INT_SHIFT) for n in range(SMALL_INT_COUNT))
    return (zero, SMALL_INT_COUNT) if together else (1, 0)


def objects_as_expected() -> bool:
    """Whether objects lie in memory as native code expects."""
    for content in (b"", b"0123456789", bytes(range(256))):
        at = id(content)  # an address, in CPython
        if not (
            ctypes.c_size_t.from_address(at + TYPE_AT).value == id(bytes)
            and ctypes.c_ssize_t.from_address(at + LENGTH_AT).value == len(content)
            and ctypes.string_at(at + BYTES_AT, len(content)) == content
            and (at + BYTES_AT) % 8 == 0
        ):
            return False
    gate = Gate()
    return ctypes.c_size_t.from_address(id(1) + TYPE_AT).value == id(int) and ctypes.c_size_t.from_address(
        id(gate) + GATE_AT
    ).value == ctypes.addressof(gate)
