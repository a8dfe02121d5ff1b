"""The benchmark's programs as plain C: shared objects made by gcc and by clang at -O2, with the loop around them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "programs"
COMPILERS: Final = ("gcc", "clang")
FLAGS: Final = ("-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread")


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler that is installed here."""

    name: str
    path: str
    version: str  # the first line of --version


def compilers() -> list[Compiler]:
    """Those that there are. Of clang the newest one, which makes the best code."""
    found = []
    for name in COMPILERS:
        paths = filter(None, map(shutil.which, (*(f"{name}-{n}" for n in range(30, 12, -1)), name)))
        path = next(paths, None)
        if path is not None:
            version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            found.append(Compiler(name, path, version.splitlines()[0]))
    return found


class CProgram:
    """One program of `programs/`, built by one compiler. Raises `CalledProcessError` where that fails."""

    def __init__(self, compiler: Compiler, name: str, folder: Path) -> None:
        target = folder / f"{name}.{compiler.name}.so"
        source = f'-DSOURCE="{PROGRAMS / name}.bpf.c"'
        command = [compiler.path, *FLAGS, source, f"-I{PROGRAMS}", "-o", str(target), str(HERE / "loop.c")]
        subprocess.run(command, check=True, capture_output=True, text=True)
        library = ctypes.CDLL(str(target))
        self._many = library.run_many
        self._many.argtypes = (ctypes.c_void_p, ctypes.c_uint)
        self._many.restype = ctypes.c_uint
        self._threads = library.run_threads
        self._threads.argtypes = (ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
        self._threads.restype = ctypes.c_longlong

    def run(self, inputs: ctypes.Array[ctypes.c_char], times: int) -> int:
        """Run on so many inputs, one after the other. The u32 that the last run returned."""
        return int(self._many(ctypes.addressof(inputs), times))

    def threads_ns(self, inputs: ctypes.Array[ctypes.c_char], times: int, threads: int) -> int:
        """How long so many C threads take that each run on all of the inputs. Raises `OSError` without threads."""
        ns = int(self._threads(ctypes.addressof(inputs), times, threads))
        if ns < 0:
            raise OSError(-ns, "can't start a thread")
        return ns
