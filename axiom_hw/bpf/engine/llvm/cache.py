"""Compiled programs on disk, so that a program that was compiled once is there in a fraction of a millisecond.

A file's name is the digest of everything that its code depends on. Files are written aside and renamed, so that any
number of processes may share the directory; each begins with a digest of what follows, so that one which was cut off
or changed is noticed, removed and made again. The cache never fails a run: what goes wrong is kept in `problem`.

What lies here is executed, so it must be nobody else's to write: the directory belongs to the user alone.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from axiom_hw.bpf.engine.llvm.code import Code

LIMIT_BYTES: Final = 64 << 20

_SUFFIX: Final = ".axc"
_MAGIC: Final = b"AXC2"
_DIGEST_BYTES: Final = 16
_HEAD: Final = struct.Struct(f"<4s{_DIGEST_BYTES}s")  # magic, digest of the rest and the key
_COUNTS: Final = struct.Struct("<III")  # names needed, names exported, bytes of both; then those, then offsets
_PRUNE_EVERY: Final = 64  # writes
_LEFT_AFTER_PRUNING: Final = 0.75  # of the limit
_TOUCH_AFTER_S: Final = 3600.0  # a file's age says when it was last of use, to the hour
_OTHERS_WRITE: Final = 0o022


@dataclass(slots=True)
class CacheStats:
    """What became of the programs that were looked up in this process."""

    hits: int = 0
    misses: int = 0
    damaged: int = 0  # were there, but not whole; counted as misses too


class Cache:
    """A directory of compiled programs, at most `limit_bytes` in all (a little more between two prunings).

    Synchronization: any thread, any number of processes.
    """

    __slots__ = ("_checked", "_writes", "directory", "limit_bytes", "problem", "stats")

    def __init__(self, directory: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.directory = directory
        self.limit_bytes = limit_bytes
        self.problem = ""  # why it can't be used, as the rest of a sentence
        self.stats = CacheStats()
        self._checked = False
        self._writes = 0

    def get(self, key: bytes) -> Code | None:
        """The code of a key, or None where it has to be made."""
        code = self._read(key) if self._usable() else None
        if code is None:
            self.stats.misses += 1
        else:
            self.stats.hits += 1
        return code

    def put(self, key: bytes, code: Code) -> None:
        """Keep the code of a key. Where the directory can't be written, nothing happens."""
        if not self._usable():
            return
        rest = _bytes_of(code)
        head = _HEAD.pack(_MAGIC, _digest(key, rest))
        try:
            with tempfile.NamedTemporaryFile(dir=self.directory, suffix=".part", delete=False) as file:
                try:
                    file.write(head + rest)
                    file.flush()
                    os.replace(file.name, self._path(key))
                except OSError:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            self.problem = f"can't be written: {error.strerror}"
            return
        if self._writes % _PRUNE_EVERY == 0:
            self._prune()
        self._writes += 1

    def size_bytes(self) -> int:
        """How much is in it."""
        return sum(size for _, size, _ in self._files())

    def _usable(self) -> bool:
        if not self._checked:
            self._checked = True
            self.problem = self.why_not()
        return not self.problem

    def why_not(self) -> str:
        """Why it can't be used, as the rest of a sentence; empty where it can. Makes the directory."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.directory.stat()
        except OSError as error:
            return f"can't be made: {error.strerror}"
        if found.st_uid != os.geteuid():
            return "belongs to another user"
        if found.st_mode & _OTHERS_WRITE:
            return "can be written by other users; `chmod go-w` mends that"
        return ""

    def _read(self, key: bytes) -> Code | None:
        path = self._path(key)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                found = os.fstat(fd)
                data = os.read(fd, found.st_size)
            finally:
                os.close(fd)
        except OSError:
            return None
        age_s = time.time() - found.st_mtime
        code = _code_of(key, data)
        try:
            if code is None:
                self.stats.damaged += 1
                os.unlink(path)
            elif age_s > _TOUCH_AFTER_S:
                os.utime(path)
        except OSError:
            pass  # another process removed it, or may not be disturbed: neither changes what was read
        return code

    def _prune(self) -> None:
        """Remove what wasn't of use for longest, until there is room again; and what a killed process left."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        if total <= self.limit_bytes:
            return
        for _, size, path in files:
            if total <= self.limit_bytes * _LEFT_AFTER_PRUNING:
                return
            try:
                os.unlink(path)
            except OSError:
                continue  # another process was faster
            total -= size

    def _files(self) -> list[tuple[float, int, str]]:
        """Age order, size and path of each file."""
        found = []
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    if entry.name.endswith((_SUFFIX, ".part")):
                        try:
                            status = entry.stat()
                        except OSError:
                            continue  # removed meanwhile
                        found.append((status.st_mtime, status.st_size, entry.path))
        except OSError:
            return []  # there is none
        return found

    def _path(self, key: bytes) -> str:
        return f"{self.directory}/{key.hex()}{_SUFFIX}"


def default_directory() -> Path:
    """`$XDG_CACHE_HOME/axiom_hw`, by default `~/.cache/axiom_hw`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~")) / ".cache"
    return home / "axiom_hw"


def _bytes_of(code: Code) -> bytes:
    names = "\0".join((*code.needs, *[name for name, _ in code.exports])).encode()
    counts = _COUNTS.pack(len(code.needs), len(code.exports), len(names))
    offsets = struct.pack(f"<{len(code.exports)}Q", *[offset for _, offset in code.exports])
    return b"".join((counts, names, offsets, code.image))


def _code_of(key: bytes, data: bytes) -> Code | None:
    if len(data) < _HEAD.size + _COUNTS.size:
        return None
    magic, digest = _HEAD.unpack_from(data)
    rest = data[_HEAD.size :]
    if magic != _MAGIC or digest != _digest(key, rest):
        return None
    needs, exports, size = _COUNTS.unpack_from(rest)
    names = rest[_COUNTS.size : _COUNTS.size + size].decode().split("\0")
    offsets = struct.Struct(f"<{exports}Q")
    at = _COUNTS.size + size
    listed = tuple(zip(names[needs:], offsets.unpack_from(rest, at), strict=False))  # no names are one empty name
    return Code(rest[at + offsets.size :], tuple(names[:needs]), listed)


def _digest(key: bytes, rest: bytes) -> bytes:
    return blake2b(rest, digest_size=_DIGEST_BYTES, key=key[:64]).digest()
