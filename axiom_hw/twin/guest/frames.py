"""The language between host and guest: frames on one stream, each for a conversation that has a number.

A frame is: conversation u32, bytes of payload u32, kind u8, payload. The payload of START, CALL, ANSWER, READY, END and
FAILED is JSON; that of the streams is bytes as they are. A conversation begins with START or CALL, and ends with END,
ANSWER or FAILED.
"""

from __future__ import annotations

import struct
from enum import IntEnum

PORT = "org.axiom-hw.twin"  # the name of the virtio port
CHUNK = 32 * 1024  # bytes of a stream in one frame
_HEAD = struct.Struct("<IIB")


class Kind(IntEnum):
    """What a frame is. The first seven come from the host."""

    START = 1  # a command: argv, env, cwd, terminal
    STDIN = 2
    STDIN_END = 3
    SIGNAL = 4  # u8: its number, for the command and all of its group
    SIZE = 5  # of the terminal: rows u16, columns u16
    CALL = 6  # something done to the world: see `world.Call`
    POWER_OFF = 7
    READY = 16  # the guest's first word; in conversation 0
    STDOUT = 17
    STDERR = 18
    END = 19  # of a command: its status, negative for a signal
    ANSWER = 20  # to a call
    FAILED = 21  # instead of END or ANSWER: errno, text


class Frame:
    """One frame. Never changed once it was made."""

    __slots__ = ("conversation", "kind", "payload")

    def __init__(self, conversation: int, kind: Kind, payload: bytes = b"") -> None:
        self.conversation = conversation
        self.kind = kind
        self.payload = payload

    def to_bytes(self) -> bytes:
        """As it goes over the stream."""
        return _HEAD.pack(self.conversation, len(self.payload), self.kind) + self.payload


class FrameReader:
    """Frames of a stream that comes in pieces. Synchronization: one thread at a time."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that are complete now. Raises `ValueError` for a kind that doesn't exist."""
        self._rest += piece
        frames = []
        while len(self._rest) >= _HEAD.size:
            conversation, size, kind = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + size
            if len(self._rest) < end:
                break
            frames.append(Frame(conversation, Kind(kind), bytes(self._rest[_HEAD.size : end])))
            del self._rest[:end]
        return frames
