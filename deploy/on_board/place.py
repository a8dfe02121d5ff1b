"""Where things of an application lie on the board, and how they are written: whole or not at all, one writer at a time.

Below `root`, which is / but in tests:

    /opt/axiom/NAME/releases/ID/   app/, venv/, lock.json, manifest.json, the unit; then the marks `sealed` and `proven`
    /opt/axiom/NAME/current        the release that runs: a symbolic link, swapped by rename
    /opt/axiom/NAME/trial.json     there while a switch isn't decided yet
    /opt/axiom/NAME/wheels/        what virtual environments are made from
    /opt/axiom/NAME/agent.pyz      this program
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class Trouble(Exception):
    """What a step ends with that can't go on: a sentence."""


class Busy(Trouble):
    """Somebody else is at work on this board."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A switch that isn't decided: from `old` (empty: there was none) to `new`."""

    new: str
    old: str


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of one application."""

    root: Path
    name: str

    @property
    def base(self) -> Path:
        return self.root / "opt/axiom" / self.name

    @property
    def releases(self) -> Path:
        return self.base / "releases"

    @property
    def wheels(self) -> Path:
        return self.base / "wheels"

    @property
    def unit(self) -> str:
        return f"axiom-{self.name}.service"

    @property
    def unit_link(self) -> Path:
        return self.root / "etc/systemd/system" / self.unit

    @property
    def wants_link(self) -> Path:
        return self.root / "etc/systemd/system/multi-user.target.wants" / self.unit

    @property
    def rules(self) -> Path:
        return self.root / "etc/udev/rules.d" / f"70-axiom-{self.name}.rules"

    @property
    def config(self) -> Path:
        """The config.txt of a Raspberry Pi, whether it is there or not."""
        return self.root / "boot/firmware/config.txt"

    @property
    def step_lock(self) -> Path:
        return self.root / "run" / f"axiom-{self.name}.step.lock"

    def release(self, ident: str) -> Path:
        return self.releases / ident

    def current(self) -> str:
        """The release that `current` names; empty where there is none."""
        try:
            return os.path.basename(os.readlink(self.base / "current"))
        except OSError:
            return ""

    def sealed(self) -> list[str]:
        """The releases that were built to the end, oldest first."""
        return [one for one in self.all() if (self.release(one) / "sealed").exists()]

    def proven(self) -> list[str]:
        """The releases that passed their health gate once, oldest first."""
        return [one for one in self.all() if (self.release(one) / "proven").exists()]

    def all(self) -> list[str]:
        return sorted(os.listdir(self.releases)) if self.releases.is_dir() else []

    def point_at(self, ident: str) -> None:
        """Make `current` name a release, or nothing. By rename: at no instant is there a third state."""
        link = self.base / "current"
        if not ident:
            link.unlink(missing_ok=True)
        else:
            new = self.base / ".current.new"
            new.unlink(missing_ok=True)
            new.symlink_to(f"releases/{ident}")
            new.rename(link)
        sync_directory(self.base)

    def trial(self) -> Trial | None:
        """The switch that is under way; one that can't be read counts as none, as it was never written whole."""
        try:
            found = json.loads((self.base / "trial.json").read_text())
            return Trial(found["new"], found["old"])
        except (OSError, ValueError, KeyError):
            return None

    def begin_trial(self, trial: Trial) -> None:
        write_whole(self.base / "trial.json", json.dumps({"new": trial.new, "old": trial.old}).encode())

    def end_trial(self) -> None:
        (self.base / "trial.json").unlink(missing_ok=True)
        sync_directory(self.base)

    def others(self) -> list[Path]:
        """The directories of other applications on this board."""
        beside = self.base.parent
        return [one for one in sorted(beside.iterdir()) if one != self.base and one.is_dir()] if beside.is_dir() else []


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
    new = path.with_name(f".{path.name}.new")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    new.rename(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames in a directory last."""
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove(path: Path) -> None:
    """Remove whatever it is, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def take_lock(path: Path, wait_s: float = 0.0) -> int:
    """A descriptor that holds the lock for as long as it, or a copy of it, is open. Raises `Busy`."""
    deadline = time.monotonic() + wait_s
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(number)
            if time.monotonic() >= deadline:
                raise Busy("a step of an earlier deploy is still at work on this board") from None
            time.sleep(0.2)
            continue
        try:
            ours = os.stat(path).st_ino == os.fstat(number).st_ino
        except FileNotFoundError:
            ours = False
        if ours:
            return number
        os.close(number)  # who held it before removed the file: what we locked is a file without a name


@contextmanager
def locked(path: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock, and leave no file behind."""
    number = take_lock(path, wait_s)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(number)
