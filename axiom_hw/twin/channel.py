"""The host's end of the channel: many conversations with the agent at once, each with its own queue."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from axiom_hw.errors import TwinError
from axiom_hw.twin.guest.frames import CHUNK, Frame, FrameReader, Kind


class Conversation:
    """One command or one call.

    Synchronization: one thread reads; any may send.
    """

    def __init__(self, channel: Channel, number: int) -> None:
        self._channel = channel
        self._number = number
        self._heard: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Say something. Raises `TwinError` where the twin has gone off."""
        self._channel.send(Frame(self._number, kind, payload))

    def next(self, timeout_s: float | None = None) -> Frame:
        """The next frame. Raises `TimeoutError`, and `TwinError` where the twin has gone off or the agent refused."""
        try:
            frame = self._heard.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if frame is None:
            self._heard.put(None)  # for whoever asks next
            raise self._channel.gone()
        return frame

    def hear(self, frame: Frame | None) -> None:
        """A frame came in; None where none will any more."""
        self._heard.put(frame)

    def close(self) -> None:
        """Forget it: frames that still come for it are dropped."""
        self._channel.forget(self._number)


class Channel:
    """The stream to the agent.

    Synchronization: any thread. A thread of its own reads.
    """

    def __init__(self, stream: socket.socket, gone: Callable[[], TwinError]) -> None:
        """`gone` makes the error of a twin that has gone off."""
        self.gone = gone
        self._stream = stream
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._over = False
        self.ready = Conversation(self, 0)
        self._open: dict[int, Conversation] = {0: self.ready}
        threading.Thread(target=self._read, name="axiom-twin-channel", daemon=True).start()

    def converse(self) -> Conversation:
        """Begin a conversation."""
        with self._lock:
            conversation = Conversation(self, next(self._numbers))
            self._open[conversation._number] = conversation
            if self._over:
                conversation.hear(None)
        return conversation

    def call(self, call: dict[str, Any], timeout_s: float = 30.0) -> Any:
        """Do something to the world, and wait for the answer. Raises `TwinError`."""
        conversation = self.converse()
        try:
            conversation.send(Kind.CALL, json.dumps(call).encode())
            frame = conversation.next(timeout_s)
        except TimeoutError:
            raise TwinError("the twin", f"doesn't answer within {timeout_s:g} s; is this machine overloaded?") from None
        finally:
            conversation.close()
        if frame.kind is Kind.FAILED:
            raise refused(frame, f"the twin, asked to {call['what']}")
        return json.loads(frame.payload)

    def send(self, frame: Frame) -> None:
        """Send a frame, in one piece."""
        try:
            with self._lock:
                self._stream.sendall(frame.to_bytes())
        except OSError:
            raise self.gone() from None

    def close(self) -> None:
        """Let go of the stream."""
        with contextlib.suppress(OSError):  # the other side went first
            self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()

    def forget(self, number: int) -> None:
        """No one listens to this conversation any more."""
        with self._lock:
            self._open.pop(number, None)

    def _read(self) -> None:
        reader = FrameReader()
        while piece := self._piece():
            for frame in reader.feed(piece):
                with self._lock:
                    conversation = self._open.get(frame.conversation)
                if conversation is not None:
                    conversation.hear(frame)
        with self._lock:
            self._over = True
            conversations = list(self._open.values())
        for conversation in conversations:
            conversation.hear(None)

    def _piece(self) -> bytes:
        try:
            return self._stream.recv(CHUNK)
        except OSError:  # closed by this side
            return b""


def refused(frame: Frame, place: str) -> TwinError:
    """The error of a FAILED."""
    told = json.loads(frame.payload)
    return TwinError(place, told["text"])
