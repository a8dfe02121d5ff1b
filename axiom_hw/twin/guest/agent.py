"""The agent: makes the devices, then runs commands and moves the world for the host, all in one thread."""

from __future__ import annotations

import json
import os
import selectors
import struct
import sys
import time

from axiom_hw.twin.guest import commands, devices, world
from axiom_hw.twin.guest.commands import Command
from axiom_hw.twin.guest.devices import read_text
from axiom_hw.twin.guest.frames import CHUNK, PORT, Frame, FrameReader, Kind

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_GRACE_S = 1.0  # how long output is waited for behind a command whose children keep its streams


class Agent:
    """Both ends: the host on one port, commands behind pipes. Synchronization: one thread."""

    def __init__(self, port: int, hands: world.Hands) -> None:
        self._port = port
        self._hands = hands
        self._reader = FrameReader()
        self._commands: dict[int, Command] = {}
        self._leaving: dict[int, float] = {}  # commands that ended before their output did, and until when to wait
        self._selector = selectors.DefaultSelector()
        self._selector.register(port, selectors.EVENT_READ, self._hear)

    def send(self, conversation: int, kind: Kind, payload: bytes = b"") -> None:
        """Send a frame."""
        rest = memoryview(Frame(conversation, kind, payload).to_bytes())
        while rest:
            rest = rest[os.write(self._port, rest[:CHUNK]) :]

    def run(self) -> None:
        """Serve until the host goes away."""
        while self._port >= 0:
            wait = min(self._leaving.values()) - time.monotonic() if self._leaving else None
            for key, _ in self._selector.select(wait):
                if key.fd in self._selector.get_map():  # not one that the round before has closed
                    key.data()
            for conversation in [n for n, until in self._leaving.items() if until <= time.monotonic()]:
                self._finish(conversation)

    def _hear(self) -> None:
        piece = os.read(self._port, CHUNK)
        if not piece:  # the host's end was closed
            self._port = -1
            return
        for frame in self._reader.feed(piece):
            try:
                self._take(frame)
            except Exception as error:  # noqa: BLE001  the host is told, and the next frame is taken
                told = {"errno": getattr(error, "errno", None) or 0, "text": f"{type(error).__name__}: {error}"}
                self.send(frame.conversation, Kind.FAILED, json.dumps(told).encode())

    def _take(self, frame: Frame) -> None:
        command = self._commands.get(frame.conversation)
        if frame.kind is Kind.START:
            self._start(frame.conversation, json.loads(frame.payload))
        elif frame.kind is Kind.CALL:
            answer = self._hands.do(json.loads(frame.payload))
            self.send(frame.conversation, Kind.ANSWER, json.dumps(answer).encode())
        elif frame.kind is Kind.POWER_OFF:
            self._port = -1
        elif command is None:
            pass  # it ended while this frame was under way
        elif frame.kind is Kind.STDIN:
            command.waiting += frame.payload
            self._feed(command)
        elif frame.kind is Kind.STDIN_END:
            command.closing = True
            self._feed(command)
        elif frame.kind is Kind.SIGNAL:
            command.signal(frame.payload[0])
        elif frame.kind is Kind.SIZE:
            command.resize(*struct.unpack("<HH", frame.payload))

    def _start(self, conversation: int, told: dict[str, Any]) -> None:
        command = commands.start(told)
        self._commands[conversation] = command
        for stream in command.streams:
            self._selector.register(stream, selectors.EVENT_READ, self._reading(conversation, command, stream))
        self._selector.register(command.end, selectors.EVENT_READ, lambda: self._ended(conversation, command))

    def _feed(self, command: Command) -> None:
        """A pipe that is full is asked again; a terminal, which has one descriptor, takes what a person types."""
        descriptor = command.stdin
        is_pipe = descriptor >= 0 and descriptor not in command.streams
        if is_pipe and descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)  # before it is closed, which giving it the last of its input does
        more = descriptor >= 0 and command.write_waiting()
        if more and is_pipe:
            self._selector.register(descriptor, selectors.EVENT_WRITE, lambda: self._feed(command))

    def _reading(self, conversation: int, command: Command, stream: int) -> Callable[[], None]:
        def read() -> None:
            kind = command.streams[stream]
            piece = command.read(stream)
            if piece:
                self.send(conversation, kind, piece)
            else:
                self._selector.unregister(stream)
                if command.status is not None and not command.streams:
                    self._finish(conversation)

        return read

    def _ended(self, conversation: int, command: Command) -> None:
        self._selector.unregister(command.end)
        command.reap()
        if command.streams:
            self._leaving[conversation] = time.monotonic() + _GRACE_S
        else:
            self._finish(conversation)

    def _finish(self, conversation: int) -> None:
        self._leaving.pop(conversation, None)
        command = self._commands.pop(conversation)
        for descriptor in {*command.streams, command.stdin} & set(self._selector.get_map()):
            self._selector.unregister(descriptor)
        command.close()
        self.send(conversation, Kind.END, json.dumps(command.status).encode())


def main() -> None:
    """Make the devices, say READY, serve; the machine goes off behind it."""
    port = _open_port()
    made = devices.make(os.path.join(os.path.dirname(sys.argv[0]), "modules"))
    agent = Agent(port, world.Hands(made))
    agent.send(0, Kind.READY, json.dumps({"release": os.uname().release, "devices": vars(made)}).encode())
    agent.run()
    if "--systemd" in sys.argv:
        os.execv("/bin/systemctl", ["systemctl", "poweroff", "--force"])  # ends everything and unmounts


def _open_port() -> int:
    ports = "/sys/class/virtio-ports"
    for _ in range(600):
        for name in os.listdir(ports):
            path = f"{ports}/{name}/name"  # those of the serial ports have none
            if os.path.exists(path) and read_text(path) == PORT:
                return os.open(f"/dev/{name}", os.O_RDWR | os.O_CLOEXEC)
        time.sleep(0.05)  # the driver makes it behind our back, and tells nobody
    raise SystemExit(f"axiom-twin: no port is called {PORT}")
