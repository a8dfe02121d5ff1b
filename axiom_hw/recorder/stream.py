"""Entries on their way to the file: collected where events are dispatched, encoded and written by a thread.

What was written survives the end of the process at any moment, and, once synchronised, that of the power. At most
`interval_s` of events wait in memory; the wait is in real time, whatever clock the bench runs on.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from axiom_hw.errors import RecordingError
from axiom_hw.recorder.blocks import pack_block
from axiom_hw.recorder.codec import Encoder
from axiom_hw.recorder.entries import Entry, Event

INTERVAL_S: Final = 0.5
BLOCK_ENTRIES: Final = 4096  # the thread writes as soon as there are so many
_CANT_SYNC: Final = (errno.EINVAL, errno.EROFS, errno.ENOTSUP)  # a pipe, or a file system that has no such call
BACKLOG: Final = 65_536  # so many wait where events come faster than one thread writes: then who adds writes too

Write = Callable[[int, bytes], int]
OnError = Callable[[RecordingError], object]


class Stream:
    """A file that takes entries until it is closed.

    A disk that is full, or fails, ends the recording and nothing else: `on_error` is told once, and what isn't
    recorded is counted. `write` is `os.write`. Raises `RecordingError` where the file can't be made, or is there.

    Synchronization: `add` from any thread; `close` by the owner.
    """

    def __init__(
        self,
        path: str,
        header: bytes,
        *,
        interval_s: float = INTERVAL_S,
        on_error: OnError | None = None,
        write: Write = os.write,
    ) -> None:
        self.path = path
        self.error: RecordingError | None = None
        self.unrecorded = 0  # events that came after an error
        self.events = 0  # that are in the file
        self.written_bytes = 0
        self._interval_s = interval_s
        self._on_error = on_error
        self._write = write
        self._entries: deque[Entry] = deque()
        self._encoder = Encoder()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._fd = _create(path)
        self._put(header, 0)
        self._thread = threading.Thread(target=self._serve, name="axiom-recorder", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Take one more."""
        entries = self._entries
        entries.append(entry)
        waiting = len(entries)
        if waiting == BLOCK_ENTRIES:
            self._wake.set()
        elif waiting >= BACKLOG:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            self._flush(is_last=False)

    def close(self) -> None:
        """Write what waits, mark the end, and close the file. Twice is fine."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        self._thread.join()
        with self._writing:
            self._flush(is_last=True)
            os.close(self._fd)

    def _serve(self) -> None:
        while not self._closing:
            self._wake.wait(self._interval_s)
            self._wake.clear()
            with self._writing:
                if self._entries and not self._closing:
                    self._flush(is_last=False)
                    self._sync()

    def _flush(self, *, is_last: bool) -> None:
        while self._entries or is_last:
            count = min(len(self._entries), BLOCK_ENTRIES)
            entries = [self._entries.popleft() for _ in range(count)]
            events = sum(type(entry) is Event for entry in entries)
            ends = is_last and not self._entries
            if self.error is None:
                self._put(pack_block(self._encoder.block(entries), self.events, events, is_last=ends), events)
            else:
                self.unrecorded += events
            if ends:
                return

    def _sync(self) -> None:
        """A disk that took the blocks may refuse them only now."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            if error.errno not in _CANT_SYNC and self.error is None:
                self._fail(error)

    def _put(self, data: bytes, events: int) -> None:
        left = data
        try:
            while left:
                left = left[self._write(self._fd, left) :]
        except OSError as error:
            with suppress(OSError):  # half a block is read as what it is: nothing
                os.ftruncate(self._fd, self.written_bytes)
            self.unrecorded += events
            self._fail(error)
        else:
            self.written_bytes += len(data)
            self.events += events

    def _fail(self, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "?")
        self.error = RecordingError(
            self.path, f"the recording stopped after {self.events} events: {error.strerror} ({name})",
            "the run goes on unrecorded; what was recorded until here can be read. Make room, or record elsewhere",
        )  # fmt: skip
        if self._on_error is not None:
            self._on_error(self.error)


def _create(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise RecordingError(
            path, "is there already; a recording overwrites nothing", "remove it, or record to another name"
        ) from None
    except OSError as error:
        raise RecordingError(
            path, f"can't be written: {error.strerror}", "record to a directory that is yours"
        ) from None
