"""The programs of an application, proved on the laptop: what the verifier refuses doesn't travel."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_deploy.errors import Refused
from axiom_hw.board import Board

_READING: Final = Path(__file__).with_name("reading.py")
_LIMIT_S: Final = 300


@dataclass(frozen=True, slots=True)
class Application:
    """What travels: `file` and what it reads of its directory, by paths relative to that; `board` is its bench."""

    file: Path
    files: tuple[tuple[str, bytes], ...]
    programs: tuple[str, ...]
    board: Board | None
    requirements: tuple[str, ...]

    @property
    def entry(self) -> str:
        return self.file.name


def verified(file: Path, board: str) -> Application:
    """Read and prove it. Raises `Refused`, with the verifier's whole text."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "read"
        words = [sys.executable, "-P", "-B", "-X", f"pycache_prefix={scratch}/none", str(_READING), str(out)]
        try:
            done = subprocess.run(
                [*words, str(file), board], capture_output=True, text=True, timeout=_LIMIT_S, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            raise Refused(
                str(file), f"took more than {_LIMIT_S} s to be imported",
                'put what the application does under `if __name__ == "__main__":`',
            ) from None  # fmt: skip
        if done.returncode or not out.exists():
            said = "\n".join(done.stderr.strip().splitlines()[-12:])
            raise Refused(str(file), f"can't be imported, so nothing was sent:\n{said}", f"axiom-hw verify {file}")
        programs, refusals, paths, bench = pickle.loads(out.read_bytes())  # of our own process
    if refusals:
        text = "\n\n".join(refusals)
        raise Refused(str(file), f"is refused by the verifier, so nothing was sent:\n\n{text}\n")
    folder = file.resolve().parent
    needs = folder / "requirements.txt"
    files = sorted({str(Path(path).relative_to(folder)) for path in paths})
    return Application(
        file, tuple((name, (folder / name).read_bytes()) for name in files), programs, bench,
        tuple(_lines(needs.read_text())) if needs.is_file() else (),
    )  # fmt: skip


def _lines(text: str) -> list[str]:
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]
