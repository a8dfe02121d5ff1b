"""Where the built parts of the twin lie: directories named by what they are made of, which appear whole or not at all.

One process builds at a time; others wait for it and then find what it made. A part that was damaged since is noticed by
its digests, and built again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from axiom_hw.errors import TwinError

Say = Callable[[str], None]  # takes a line that tells what is going on

VARIABLE: Final = "AXIOM_TWIN_CACHE"
_SUMS: Final = ".sums"  # written last: a directory without it was never finished
_WHOLE_BYTES: Final = 64 << 20  # of larger files only the size is compared: an image of a disk would take seconds


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """$AXIOM_TWIN_CACHE, else `axiom-hw/twin` below $XDG_CACHE_HOME, else below ~/.cache."""
    if given := environment.get(VARIABLE):
        return Path(given)
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or "~").expanduser() / ".cache"
    return Path(base) / "axiom-hw" / "twin"


def digest_of(*parts: bytes) -> str:
    """Twelve hexadecimal digits that stand for the parts, in their order."""
    joined = hashlib.blake2b(digest_size=6)
    for part in parts:
        joined.update(len(part).to_bytes(8, "little") + part)
    return joined.hexdigest()


@contextmanager
def locked(cache: Path, say: Say) -> Iterator[None]:
    """Hold the cache for building. Waits for another process that does, and says so. Raises `TwinError`."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle = os.open(cache / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unwritable(cache, error) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds the twin: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def building(target: Path, needed_bytes: int) -> Iterator[Path]:
    """A directory to build in, renamed to `target` at the end; an exception leaves nothing. Hold `locked` around it.

    Raises `TwinError` where the disk lacks `needed_bytes`.
    """
    work = target.with_name(f".building-{target.name}")
    try:
        shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
        work.mkdir(parents=True)
        free = shutil.disk_usage(work).free
        if free < needed_bytes:
            raise TwinError(
                str(target.parent), f"{free >> 20} MB are free, building takes {needed_bytes >> 20} MB for a moment",
                f"`axiom-hw twin clean` removes what was built before; or {VARIABLE}=DIRECTORY on another disk",
            )  # fmt: skip
        yield work
        (work / _SUMS).write_text("".join(f"{_sum(file)}  {file.name}\n" for file in _files(work)))
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    except OSError as error:
        raise _unwritable(target.parent, error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def is_whole(built: Path) -> bool:
    """Whether a directory was finished, and its files are as they were then. Takes 0.1 s for a kernel."""
    try:
        rows = (built / _SUMS).read_text().splitlines()
        return bool(rows) and all(_sum(built / name) == told for told, _, name in (row.partition("  ") for row in rows))
    except OSError:  # it isn't there, or some of it isn't
        return False


def size_of(directory: Path) -> int:
    """Bytes on the disk: images of disks have holes."""
    return sum(file.lstat().st_blocks * 512 for file in directory.rglob("*") if file.is_file())


def clean(cache: Path, say: Say) -> int:
    """Remove what was built; gives the bytes that it took. Running twins keep the files that they have open."""
    if not cache.is_dir():
        return 0
    with locked(cache, say):
        taken = size_of(cache)
        for entry in cache.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != "lock":
                entry.unlink()
    return taken


def _files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.iterdir() if file.is_file() and file.name != _SUMS)


def _sum(file: Path) -> str:
    size = file.stat().st_size
    if size > _WHOLE_BYTES:
        return f"{size}"
    with file.open("rb") as opened:
        return f"{size}:{hashlib.file_digest(opened, 'blake2b').hexdigest()[:32]}"


def _unwritable(cache: Path, error: OSError) -> TwinError:
    return TwinError(
        error.filename or str(cache), f"can't be written: {error.strerror}",
        f"make room or give yourself the right to write there; or {VARIABLE}=DIRECTORY on another disk",
    )  # fmt: skip
