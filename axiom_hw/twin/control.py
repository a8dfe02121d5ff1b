"""A running twin for other processes: a socket in the runtime directory, with the frames that the agent speaks.

What comes in is passed on to the agent, each conversation under a number of the twin's own. What concerns the host
alone (serial ports, the twin itself) is answered here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from axiom_hw.errors import TwinError
from axiom_hw.twin.channel import Channel, Conversation
from axiom_hw.twin.guest.frames import CHUNK, Frame, FrameReader, Kind
from axiom_hw.twin.ports import Ports

DEFAULT: Final = "twin"
_LAST: Final = (Kind.END, Kind.ANSWER, Kind.FAILED)


def socket_path(name: str = DEFAULT, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the twin of a name is reached: in $XDG_RUNTIME_DIR/axiom-hw, /run/axiom-hw for root, else in /tmp."""
    if not name.replace("-", "").replace("_", "").isalnum():
        raise TwinError(f"--name {name}", "is no name: it takes letters, digits, - and _")
    user = os.geteuid()
    base = environment.get("XDG_RUNTIME_DIR") or ("/run" if user == 0 else f"/tmp/axiom-hw-{user}")
    return Path(base) / "axiom-hw" / f"{name}.sock"


class Served:
    """A twin at its socket, until `close`.

    Synchronization: threads of its own, one for each process that is connected; `close` from any thread.
    """

    def __init__(self, path: Path, channel: Channel, ports: Ports, about: dict[str, Any]) -> None:
        """Raises `TwinError` where another twin has the socket."""
        self._channel = channel
        self._ports = ports
        self._about = about
        self._path = path
        self._over = threading.Event()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise already_running(path) from None
        path.unlink(missing_ok=True)  # of a process that was killed
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        threading.Thread(target=self._accept, name="axiom-twin-control", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody asks the twin to go off; False where nobody has by then."""
        return self._over.wait(timeout_s)

    def close(self) -> None:
        """Take no more; the socket disappears."""
        self._path.unlink(missing_ok=True)
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        os.close(self._lock)

    def take(self, frame: Frame, client: _Client) -> None:
        """A frame of a client's. Raises `TwinError` where it can't be done."""
        if frame.kind is Kind.POWER_OFF:
            self._over.set()
        elif frame.kind is Kind.CALL and (call := json.loads(frame.payload))["what"] in ("about", "feed", "read"):
            client.send(Frame(frame.conversation, Kind.ANSWER, json.dumps(self._here(call)).encode()))
        elif frame.kind in (Kind.CALL, Kind.START):
            client.begin(self._channel.converse(), frame)
        else:
            client.pass_on(frame)

    def _here(self, call: dict[str, Any]) -> Any:
        if call["what"] == "feed":
            return self._ports.feed(call["port"], bytes.fromhex(call["data"]))
        if call["what"] == "read":
            return self._ports.read(call["port"], call["count"], call["timeout_s"]).hex()
        return self._about

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:  # closed
                return
            client = _Client(stream, self.take)
            threading.Thread(target=client.serve, name="axiom-twin-client", daemon=True).start()


class _Client:
    """A process that is connected.

    Synchronization: a thread serves it, and one for each of its conversations brings what the agent says.
    """

    def __init__(self, stream: socket.socket, take: Callable[[Frame, _Client], None]) -> None:
        self._stream = stream
        self._take = take
        self._lock = threading.Lock()
        self._open: dict[int, Conversation] = {}

    def serve(self) -> None:
        """Until it goes away; what it started in the guest is ended then."""
        reader = FrameReader()
        with self._stream:
            while piece := self._piece():
                for frame in reader.feed(piece):
                    try:
                        self._take(frame, self)
                    except TwinError as error:
                        self.send(Frame(frame.conversation, Kind.FAILED, _told(error)))
        for conversation in list(self._open.values()):
            with contextlib.suppress(TwinError):  # the twin has gone off, too
                conversation.send(Kind.SIGNAL, bytes([signal.SIGTERM]))

    def begin(self, conversation: Conversation, frame: Frame) -> None:
        """Begin a conversation with the agent. Raises `TwinError` where the twin has gone off."""
        conversation.send(frame.kind, frame.payload)
        self._open[frame.conversation] = conversation
        back = (conversation, frame.conversation)
        threading.Thread(target=self._bring_back, args=back, name="axiom-twin-back", daemon=True).start()

    def pass_on(self, frame: Frame) -> None:
        """A frame of a conversation that is under way; one for an ended one is dropped."""
        if (known := self._open.get(frame.conversation)) is not None:
            known.send(frame.kind, frame.payload)

    def send(self, frame: Frame) -> None:
        """Send a frame; nothing happens where the client has gone, which `serve` notices."""
        with contextlib.suppress(OSError), self._lock:
            self._stream.sendall(frame.to_bytes())

    def _bring_back(self, conversation: Conversation, number: int) -> None:
        kind = None
        while kind not in _LAST:
            try:
                frame = conversation.next()
            except TwinError as error:  # the twin has gone off
                frame = Frame(0, Kind.FAILED, _told(error))
            kind = frame.kind
            self.send(Frame(number, kind, frame.payload))
        self._open.pop(number, None)
        conversation.close()

    def _piece(self) -> bytes:
        try:
            return self._stream.recv(CHUNK)
        except OSError:
            return b""


class RemotePorts:
    """The serial ports of a twin that another process holds. Synchronization: any thread."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def feed(self, name: str, data: bytes) -> None:
        """See `Ports`."""
        self._channel.call({"what": "feed", "port": name, "data": data.hex()})

    def read(self, name: str, count: int, timeout_s: float) -> bytes:
        """See `Ports`."""
        call = {"what": "read", "port": name, "count": count, "timeout_s": timeout_s}
        return bytes.fromhex(self._channel.call(call, timeout_s + 30.0))


def connect(path: Path) -> socket.socket | None:
    """The stream to a running twin; None where none runs there."""
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.connect(str(path))
    except OSError:
        stream.close()
        return None
    return stream


def already_running(path: Path) -> TwinError:
    """The error of a second twin under one name."""
    name = path.stem
    return TwinError(
        f"a twin called {name}", "is running already",
        f"run in it: `axiom-hw twin run --name {name} -- COMMAND`; end it: `axiom-hw twin off --name {name}`; "
        "or give the second one another --name",
    )  # fmt: skip


def _told(error: TwinError) -> bytes:
    return json.dumps({"errno": 0, "text": str(error)}).encode()
