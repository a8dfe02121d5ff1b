"""What outlives a process, in a directory: the latched emergency stop, and the decisions of a board's guard.

    <board>.stop    is there while the stop is latched, and says why: text, written at once and to the disk
    <board>.guard   the guard's memory, which every process maps: latch, heartbeat, decisions

The memory makes a stop or a release seen by all processes at once, and survives a killed one; the text survives a
power cut and a new version of this package as well. Latched is what either of them says.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from axiom_hw.actuation.audit import Verdict
from axiom_hw.actuation.journal import Journal
from axiom_hw.actuation.shared_lines import ACKNOWLEDGED_AT, DECISIONS_AT, STOPS_AT, bytes_of, journal_in
from axiom_hw.bpf.maps.mem import Mem, fetch_add_u64, load_u64, store_u64
from axiom_hw.errors import OutputError

_MAGIC: Final = int.from_bytes(b"axguard1", "little")  # another number for another layout
_HEADER_BYTES: Final = 4096
_OWNER: Final = 8  # process id of the last guard
_HEARTBEAT: Final = 16  # CLOCK_MONOTONIC, ns; 0 while nobody should look
ALL_OUTPUTS: Final = "all outputs"
_ROOTS: Final = Path("/var/lib/axiom_hw")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """An emergency stop: who asked for it, why, and when; `time` is the date where it came from a file."""

    reason: str
    source: str
    timestamp_ns: int
    time: str = ""


def state_directory(environment: Mapping[str, str] = os.environ, user: int | None = None) -> Path:
    """Where state lies: what a systemd unit has as StateDirectory=, $XDG_STATE_HOME/axiom_hw, /var/lib/axiom_hw for
    root, else ~/.local/state/axiom_hw."""
    if given := environment.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    if "XDG_STATE_HOME" in environment:
        return Path(environment["XDG_STATE_HOME"]) / "axiom_hw"
    if (os.geteuid() if user is None else user) == 0:
        return _ROOTS
    return Path(environment.get("HOME", "~")).expanduser() / ".local/state/axiom_hw"


class GuardState:
    """The state of one board's guard.

    Synchronization: any thread of any process. One process at a time is its owner; the kernel knows when that ends.
    """

    def __init__(self, mem: Mem, path: Path, lock: int | None) -> None:
        self._mem = mem
        self._lock = lock
        self.path = path
        self.stop_path = path.with_suffix(".stop")
        self.memory = Mem(mem.u8[_HEADER_BYTES:])

    @classmethod
    def own(cls, directory: Path, board: str, lines: int) -> Self:
        """For the guard of a board with so many lines. Raises `OutputError` where another process has one, or the
        directory can't be written."""
        path = directory / f"{board}.guard"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = _HEADER_BYTES + bytes_of(lines)
            if os.fstat(lock).st_size < size:
                os.ftruncate(lock, size)
            mem = Mem.open(path)
        except BlockingIOError:
            os.close(lock)
            raise OutputError(
                f"the outputs of {board}", f"are guarded by another process, which holds {path}",
                "end that one first, or give this one a directory of its own: --state DIR",
            ) from None  # fmt: skip
        except OSError as error:
            os.close(lock)
            raise _unwritable(path, error) from None
        if load_u64(mem, 0) != _MAGIC:  # new, or of another version: what counts of that one is in the text
            mem.u8[:] = bytes(mem.size)
            store_u64(mem, 0, _MAGIC)
        store_u64(mem, _HEARTBEAT, 0)
        store_u64(mem, _OWNER, os.getpid())
        return cls(mem, path, lock)

    @classmethod
    def look(cls, directory: Path, board: str) -> Self | None:
        """For everybody else; None where no guard has left anything there. Raises `OutputError` where it isn't ours."""
        path = directory / f"{board}.guard"
        if not path.exists():
            return None
        try:
            with path.open("r+b"):
                pass
            mem = Mem.open(path)
        except OSError as error:
            raise _unwritable(path, error) from None
        if mem.size < _HEADER_BYTES + bytes_of(0) or load_u64(mem, 0) != _MAGIC:
            return None
        return cls(mem, path, None)

    @property
    def owner(self) -> int | None:
        """The process that has a guard on this board now; None where none has."""
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return load_u64(self._mem, _OWNER)
        finally:
            os.close(fd)
        return None

    # the stop

    @property
    def stops(self) -> int:
        """Emergency stops so far."""
        return load_u64(self.memory, STOPS_AT)

    @property
    def is_latched(self) -> bool:
        """Whether the memory or the text says so."""
        return self.stops != load_u64(self.memory, ACKNOWLEDGED_AT) or self.stop_path.exists()

    def latch(self, stop: Stop) -> None:
        """Latch from a process that isn't the guard's: every write of the guard makes safe from here on."""
        fetch_add_u64(self.memory, STOPS_AT, 1)
        self.keep(stop)
        self.note(stop.source, f"{ALL_OUTPUTS}: {stop.reason}", None, Verdict.LATCHED)

    def release(self, operator: str) -> bool:
        """Unlatch, on the word of a person; False where nothing was latched. A stop that comes in meanwhile stays."""
        if not self.is_latched:
            return False
        seen, text = self.stops, self.read()
        self.forget()
        store_u64(self.memory, ACKNOWLEDGED_AT, seen)
        if self.stops != seen and not self.stop_path.exists():
            self.keep(text)
        self.note(operator, ALL_OUTPUTS, None, Verdict.RELEASED)
        return True

    def keep(self, stop: Stop) -> None:
        """Write the text, and wait until it is on the disk. Raises `OutputError`."""
        keep_stop(self.stop_path, stop)

    def forget(self) -> None:
        """Remove the text. Raises `OutputError`."""
        forget_stop(self.stop_path)

    def read(self) -> Stop:
        """What the text says of the latched stop; also where it was damaged: that is no reason to go on."""
        return read_stop(self.stop_path)

    # who lives, and what was decided

    def beat(self, now_ns: int) -> None:
        """The guard's process is well at this time of CLOCK_MONOTONIC; 0: nobody should look from here on."""
        store_u64(self._mem, _HEARTBEAT, now_ns)

    @property
    def last_beat_ns(self) -> int:
        """What `beat` said last."""
        return load_u64(self._mem, _HEARTBEAT)

    @property
    def journal(self) -> Journal:
        """The decisions."""
        return journal_in(self.memory)

    def close(self) -> None:
        """Somebody else may own it from here on."""
        self.beat(0)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def note(self, source: str, output: str, written: int | None, verdict: Verdict, number: int = 0) -> None:
        """Keep a decision that another process made; `number` is an errno or 0."""
        turn = fetch_add_u64(self.memory, DECISIONS_AT, 1) + 1
        self.journal.note(turn, time.monotonic_ns(), source, output, written or 0, written, verdict, number)


def guarded_boards(directory: Path) -> tuple[str, ...]:
    """The names of the boards that have left something in a directory."""
    return tuple(sorted({path.stem for kind in ("*.guard", "*.stop") for path in directory.glob(kind)}))


def keep_stop(path: Path, stop: Stop) -> None:
    """Write the file of a latched stop, and wait until it is on the disk. Raises `OutputError`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    lines = {
        "reason": stop.reason, "source": stop.source,
        "time": stop.time or datetime.now(UTC).isoformat(timespec="milliseconds"),
        "timestamp_ns": stop.timestamp_ns, "boot_id": _boot_id(),
    }  # fmt: skip
    head = "# The emergency stop is latched. `axiom-hw stop release --operator NAME` releases it.\n"
    text = head + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, text.encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(draft, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def forget_stop(path: Path) -> None:
    """Remove the file of a stop. Raises `OutputError`."""
    try:
        with suppress(FileNotFoundError):
            path.unlink()
            _sync_directory(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def read_stop(path: Path) -> Stop:
    """What the file of a latched stop says."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return Stop(str(found["reason"]), str(found["source"]), int(found["timestamp_ns"]), str(found["time"]))
    except FileNotFoundError:
        return Stop("not known: the process was killed before it could write it down", "not known", 0)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Stop(f"not known: {path} can't be read ({error})", "not known", 0)


def _boot_id() -> str:
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        str(path), f"can't be written: {error.strerror or error}",
        "a latched emergency stop is kept there: make the directory writable, or name another: --state DIR",
    )  # fmt: skip
