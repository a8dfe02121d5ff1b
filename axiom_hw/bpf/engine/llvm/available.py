"""Whether native code can be had here, and why not."""

from __future__ import annotations

import platform
import sys
from functools import cache
from typing import Final

MACHINES: Final = ("x86_64", "aarch64")


@cache
def why_not() -> str:
    """Why programs can't be compiled on this machine and this Python, as the rest of a sentence; empty if they can."""
    if platform.machine() not in MACHINES:
        return f"the processor is {platform.machine()}; native code is made for {' and '.join(MACHINES)}"
    if sys.platform != "linux":
        return f"the system is {sys.platform}; native code is made for Linux"
    if platform.python_implementation() != "CPython":
        return f"this Python is {platform.python_implementation()}; native code is entered through CPython's interface"
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return "this Python runs without a GIL, on which native code relies"
    try:
        import llvmlite.binding  # noqa: F401 (the question is whether it is there)
    except ImportError:
        return "llvmlite isn't installed"
    except OSError as error:  # its library is there, but doesn't load
        return f"llvmlite doesn't load: {error}"
    return _loading()


def _loading() -> str:
    from axiom_hw.bpf.engine.llvm import loading  # not before: on other systems these can't be imported
    from axiom_hw.bpf.engine.llvm.builtin import objects_as_expected

    if objects_as_expected():
        return loading.why_not()
    return f"Python {platform.python_version()} lays its objects out in a way that native code doesn't know"
