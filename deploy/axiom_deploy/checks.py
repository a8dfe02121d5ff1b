"""Whether a board can run an application: asked before anything changes on it, each answer with a way out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from axiom_deploy.errors import Unfit
from axiom_deploy.observing import Observed
from axiom_deploy.settings import Settings
from axiom_hw.board import Board, Found, detect, fits

MINIMUM: Final = (3, 11)
_HEADROOM_BYTES: Final = 32 << 20
_UNPACKED: Final = 4  # of wheels: what they take when installed and compiled, with llvmlite among them


def check_board(where: str, seen: Observed | None, settings: Settings, board: Board | None, sudo: bool) -> Observed:
    """The board, where it will do. Raises `Unfit`."""
    if seen is None:
        raise Unfit(
            where, f"has no `{settings.python}`, and axiom_hw needs Python 3.11 or later",
            "sudo apt install python3, or name the one it has: BOARD_PYTHON=/usr/local/bin/python3.13",
        )  # fmt: skip
    if seen.python < MINIMUM:
        version = ".".join(map(str, seen.python))
        raise Unfit(
            where, f"its {settings.python} is Python {version}, and axiom_hw needs 3.11 or later",
            "install Raspberry Pi OS bookworm or later, or name another one on the board: BOARD_PYTHON=python3.13",
        )  # fmt: skip
    if not seen.systemd:
        raise Unfit(where, "has no systemd, which keeps the application running", "Raspberry Pi OS and Debian have it")
    if seen.libc[0] != "glibc":
        raise Unfit(
            where, "its C library isn't glibc, for which wheels are built", "Raspberry Pi OS and Debian have it"
        )
    if seen.uid and not sudo:
        raise Unfit(
            where, "sudo asks for a password there, and a deploy sends none",
            "HOST=root@..., or let this user's sudo do without: it is Raspberry Pi OS's default for its first user",
        )  # fmt: skip
    if not settings.force:
        _check_model(where, seen, board)
    return seen


def found_machine(seen: Observed) -> Found:
    """Which machine the board is, by the rules that `axiom-hw doctor` follows there."""
    with TemporaryDirectory() as scratch:
        tree = Path(scratch) / "proc/device-tree"
        tree.mkdir(parents=True)
        if seen.model:
            (tree / "model").write_text(seen.model + "\0")
        if seen.compatible:
            (tree / "compatible").write_text("\0".join(seen.compatible) + "\0")
        return detect(Path(scratch))


def check_space(where: str, seen: Observed, wheels_bytes: int, environment_bytes: int) -> None:
    """Whether what would be sent fits. Raises `Unfit`."""
    needed = wheels_bytes + environment_bytes * _UNPACKED + _HEADROOM_BYTES
    if seen.free < needed:
        raise Unfit(
            where, f"has {_mb(seen.free)} free, and this release takes {_mb(needed)}",
            "make room there (`sudo apt clean`, `du -xh / | sort -h | tail`), or keep fewer releases: KEEP=2",
        )  # fmt: skip


def _check_model(where: str, seen: Observed, board: Board | None) -> None:
    if not seen.model.startswith("Raspberry Pi"):
        what = f"it says that it is `{seen.model}`" if seen.model else "it has no /proc/device-tree/model"
        raise Unfit(
            where, f"is no Raspberry Pi: {what}",
            "check HOST; if it is meant, FORCE=1: what the board file names must be there then, or the release fails "
            "its health gate and is taken back",
        )  # fmt: skip
    if board is not None and not fits(board.model, found_machine(seen)):
        raise Unfit(
            where, f"is a {seen.model}; {board.source} is for a {board.model}",
            "name the board file of this one: BOARD=rpi4-bench; or FORCE=1, if the wiring is the same",
        )  # fmt: skip


def _mb(size: int) -> str:
    return f"{size >> 20} MB"
