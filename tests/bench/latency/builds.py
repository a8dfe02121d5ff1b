"""The C programs, as static binaries: they run in the twin, whatever is installed there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
FLAGS: Final = ("-O2", "-Wall", "-Werror", "-static")
SOURCES: Final = (HERE / "stimulus.c", HERE / "loop.c")


class BuildError(Exception):
    """A program can't be built; the text says why, and what to do."""


def build(folder: Path) -> None:
    """Build all of them into `folder`. Raises `BuildError`."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise BuildError("the C loop needs gcc, which isn't here: sudo apt install gcc")
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        command = [compiler, *FLAGS, "-o", str(folder / source.stem), str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"{source.name} can't be built:\n{done.stderr}")
