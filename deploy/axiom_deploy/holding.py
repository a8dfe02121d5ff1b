"""One deploy at a time: a process on the board holds the kernel's lock for as long as this one speaks to it.

Killed with -9, or cut off, a laptop holds nothing: the board notices at once, or after 30 s of silence.
"""

from __future__ import annotations

import getpass
import shlex
import socket
from typing import Final

import gevent
from paramiko import Channel, SSHException

from axiom_deploy.errors import Cut, DeployError
from axiom_deploy.observing import ON_BOARD, Observed
from axiom_deploy.session import Session, client_of

_BEAT_S: Final = 5.0
_SILENT_S: Final = 30.0
_TAKE_S: Final = 30.0


class Hold:
    """The lock of one board.

    Synchronization: made, used and let go by one greenlet; its heartbeat is another.
    """

    def __init__(self, session: Session, seen: Observed) -> None:
        """Take it. Raises `DeployError` where somebody else has it, `Cut`."""
        settings = session.settings
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        words = [seen.executable, "-c", (ON_BOARD / "hold.py").read_text(), settings.root, settings.name, who]
        try:
            transport = client_of(session.host).get_transport()
            if transport is None:
                raise EOFError
            self._channel: Channel = transport.open_session(timeout=_TAKE_S)
            self._channel.settimeout(_TAKE_S)
            self._channel.exec_command(shlex.join([*(["sudo", "-n"] if seen.uid else []), *words]))
            said = self._channel.makefile("r").readline().strip()
        except (OSError, EOFError, SSHException) as error:
            raise Cut(session.where, "the connection was cut while its lock was taken") from error
        if not said.startswith("held"):
            other = said.removeprefix("busy").strip() or "somebody"
            raise DeployError(
                session.where, f"is being deployed to by {other}",
                "wait until that is done; the lock goes with that process, also when it is killed",
            )  # fmt: skip
        self._transport = transport
        self._beats = gevent.spawn(self._beat)

    def let_go(self) -> None:
        """Give it back; the board's process ends by itself."""
        self._beats.kill(block=False)
        self._channel.close()

    def _beat(self) -> None:
        silent = 0.0
        while silent < _SILENT_S:
            try:
                self._channel.sendall(b".\n")
                gevent.sleep(_BEAT_S)
                answered = self._channel.recv_ready() and self._channel.recv(1 << 16)
            except (OSError, EOFError, SSHException):
                break
            silent = 0.0 if answered else silent + _BEAT_S
        self._transport.close()  # whoever waits for an answer of this board shall not wait for ever
