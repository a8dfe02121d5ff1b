"""What a service tells systemd, as sd_notify(3) and sd_watchdog_enabled(3) write it down: lines in one datagram."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Final, Self

_PATIENCE_S: Final = 5.0  # with whoever reads: systemd may be busy, but nobody waits for it for ever
_STATUS_MAX: Final = 1000
_OURS: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """The way to the service manager; without an `address` nobody listens, and every word is dropped.

    An address is a path, or an abstract name behind `@`. `watchdog_ns` is how long the manager waits between two signs
    of life, 0 where it doesn't. What can't be sent is told to `on_failure`, once.

    Synchronization: any thread. A datagram is sent whole.
    """

    def __init__(
        self, address: str = "", watchdog_ns: int = 0, on_failure: Callable[[str], object] = lambda problem: None
    ) -> None:
        self.address = address
        self.watchdog_ns = watchdog_ns if address else 0
        self._on_failure = on_failure
        self._has_failed = False
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.settimeout(_PATIENCE_S)

    @classmethod
    def take(
        cls, environment: MutableMapping[str, str], pid: int, on_failure: Callable[[str], object] = lambda problem: None
    ) -> Self:
        """From the environment, which loses these variables: they are meant for this process, not for its children."""
        address, usec, watched = (environment.pop(name, "") for name in _OURS)
        if address[:1] not in ("/", "@") or len(address) < 2:
            if address:
                on_failure(f"NOTIFY_SOCKET is {address}, neither a path nor @name: nothing is sent there")
            address = ""
        is_meant = not watched or watched == str(pid)
        watchdog_ns = int(usec) * 1000 if usec.isascii() and usec.isdigit() and is_meant else 0
        return cls(address, watchdog_ns, on_failure)

    @property
    def is_asked(self) -> bool:
        """Whether a manager listens."""
        return bool(self.address)

    def ready(self, status: str) -> None:
        """The service is up. Who says so is the main process."""
        self._send("READY=1", f"MAINPID={os.getpid()}", _status(status))

    def alive(self, status: str = "") -> None:
        """A sign of life, for the watchdog."""
        self._send("WATCHDOG=1", *([_status(status)] if status else []))

    def status(self, text: str, errno: int = 0) -> None:
        """What `systemctl status` shows; with the number of an error, where the service failed by one."""
        self._send(_status(text), *([f"ERRNO={errno}"] if errno else []))

    def stopping(self, status: str) -> None:
        """The service is on its way down."""
        self._send("STOPPING=1", _status(status))

    def close(self) -> None:
        """Nothing more will be said. Twice is fine."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *words: str) -> None:
        found = self._socket
        if found is None:
            return
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            found.sendto("\n".join(words).encode(), socket.MSG_NOSIGNAL, name)
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                with suppress(OSError):
                    self._on_failure(f"systemd can't be told at {self.address}: {error.strerror or error}")


def _status(text: str) -> str:
    """One line, and not so long that it fills the datagram."""
    return f"STATUS={' '.join(text.split())[:_STATUS_MAX]}"
