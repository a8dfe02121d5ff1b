"""What runs programs: Python, gpiod, the engine, and the directory that they are started in."""

from __future__ import annotations

import os
import platform
import struct
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from axiom_hw.cli.diagnosis import Case, Finding, Status, from_error
from axiom_hw.errors import MissingDependency

_LEAST: Final = (3, 11)  # requires-python; gpiod and llvmlite have wheels for it and later ones
_WHEELS: Final = ("x86_64", "aarch64")


def python(
    version: tuple[int, int] = sys.version_info[:2], kind: str = sys.platform, bits: int = 8 * struct.calcsize("P")
) -> Iterator[Finding]:
    """Python and the system: what pip finds wheels for. The parameters are those of this process."""
    text = f"Python {platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}"
    if kind != "linux":
        yield Finding(Status.PROBLEM, f"{text}: GPIO, PWM and I2C need Linux", "run with --mock here")
    elif version < _LEAST:
        least = ".".join(map(str, _LEAST))
        yield Finding(
            Status.PROBLEM, f"{text}: {least} is the oldest that there are wheels for",
            "Raspberry Pi OS bookworm has 3.11, trixie 3.13: update it, or make the environment with another Python",
        )  # fmt: skip
    elif bits != 64:
        yield Finding(
            Status.NOTE, f"{text}: 32 bits, for which llvmlite has no wheel; programs in Python can't be compiled",
            "install the 64-bit Raspberry Pi OS; programs as .bpf.o or .bpf.s run on the interpreter meanwhile",
        )  # fmt: skip
    else:
        yield Finding(Status.OK, text)


def gpiod() -> Iterator[Finding]:
    """The package that opens chips."""
    from axiom_hw.backends.survey import gpiod_version

    try:
        yield Finding(Status.OK, f"gpiod {gpiod_version()}")
    except MissingDependency as error:
        yield from_error(error)


def engine() -> Iterator[Finding]:
    """Native code, or the interpreter; and what is kept of it."""
    from axiom_hw.engines import open_cache, why_not

    if why := why_not():
        machine = platform.machine()
        fix = (
            "pip install 'llvmlite>=0.46'" if machine in _WHEELS
            else f"llvmlite has no wheel for {machine}: take a 64-bit system, or programs as .bpf.o and .bpf.s"
        )  # fmt: skip
        yield Finding(Status.NOTE, f"programs run on the interpreter: {why}", fix)
        return
    from axiom_hw.bpf.engine.llvm.target import host, llvm_version

    text = f"native code by LLVM {llvm_version()} for {host().cpu}, or the interpreter"
    cache = open_cache()
    assert cache is not None
    if why := cache.why_not():
        yield Finding(
            Status.NOTE, f"{text}; nothing compiled is kept: {cache.directory} {why}",
            "each start compiles anew; set XDG_CACHE_HOME to a directory that may be written to keep it",
        )  # fmt: skip
    else:
        yield Finding(Status.OK, f"{text}; compiled programs in {cache.directory}: {_size(cache.size_bytes())}")


def directory(case: Case) -> Iterator[Finding]:
    """lgpio makes a FIFO in the working directory when it is imported, and fails where it can't."""
    if find_spec("lgpio") is None or "LG_WD" in os.environ or os.access(case.directory, os.W_OK):
        return
    yield Finding(
        Status.NOTE,
        f"lgpio can't be imported in {case.directory}: it makes a file .lgd-nfy0 in the working directory, and this "
        "one may not be written to. gpiod, the default, doesn't mind",
        "for programs with lgpio or gpiozero, start them elsewhere: cd ~, LG_WD=/tmp, or in a unit of systemd "
        "RuntimeDirectory=axiom and WorkingDirectory=/run/axiom",
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"
