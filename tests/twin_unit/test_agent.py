"""The guest's agent and the host's end of the channel, joined by a socket on this machine."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from axiom_hw.errors import TwinError
from axiom_hw.twin import keeper
from axiom_hw.twin.channel import Channel
from axiom_hw.twin.control import RemotePorts, Served, connect, socket_path
from axiom_hw.twin.guest.agent import Agent
from axiom_hw.twin.guest.frames import Frame, FrameReader, Kind
from axiom_hw.twin.running import Running
from axiom_hw.twin.world import World

ENV = {"PATH": os.environ["PATH"]}


class FakeHands:
    """Lines that are numbers in memory."""

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}

    def do(self, call: dict[str, Any]) -> Any:
        match call:
            case {"what": "pull", "line": line, "level": level}:
                self.levels[line] = level
                return None
            case {"what": "value", "line": line}:
                return self.levels[line]
        raise ValueError(f"nobody knows how to {call['what']!r}")


class FakePorts:
    """Ports that give back what they were fed."""

    def __init__(self) -> None:
        self.held = bytearray()

    def feed(self, name: str, data: bytes) -> None:
        if name != "ttyAMA0":
            raise TwinError(name, "is no serial port of the twin", "it has ttyAMA0")
        self.held += data

    def read(self, name: str, count: int, timeout_s: float) -> bytes:
        return bytes(self.held[:count])


@pytest.fixture
def channel() -> Iterator[Channel]:
    ours, theirs = socket.socketpair()
    agent = Agent(theirs.fileno(), FakeHands())  # type: ignore[arg-type]
    thread = threading.Thread(target=agent.run)
    thread.start()
    opened = Channel(ours, lambda: TwinError("the twin", "has gone off"))
    yield opened
    opened.close()
    thread.join(5)
    theirs.close()
    assert not thread.is_alive()


def start(channel: Channel, *argv: str, terminal: bool = False, cwd: str = "/") -> Running:
    conversation = channel.converse()
    told = {"argv": argv, "env": ENV, "cwd": cwd, "terminal": terminal}
    conversation.send(Kind.START, json.dumps(told).encode())
    return Running(argv, conversation, None, None)


def test_frames_come_whole_however_they_are_cut() -> None:
    stream = Frame(1, Kind.STDOUT, b"hello").to_bytes() + Frame(70000, Kind.END, b"0").to_bytes()
    reader = FrameReader()
    found = [frame for n in range(len(stream)) for frame in reader.feed(stream[n : n + 1])]
    told = [(frame.conversation, frame.kind, frame.payload) for frame in found]
    assert told == [(1, Kind.STDOUT, b"hello"), (70000, Kind.END, b"0")]


def test_a_command_has_two_streams_and_a_status(channel: Channel) -> None:
    done = start(channel, "sh", "-c", "pwd; echo bad >&2; exit 3", cwd="/usr").wait(10)
    assert (done.returncode, done.stdout, done.stderr) == (3, "/usr\n", "bad\n")
    with pytest.raises(TwinError, match=r"`sh -c .*` in the twin: ended with status 3:\n    \| /usr\n    \| bad"):
        done.check()


def test_a_command_reads_more_than_a_pipe_holds(channel: Channel) -> None:
    with start(channel, "wc", "-c") as running:
        running.write(bytes(300_000))
        running.end_input()
        assert running.wait(10).stdout.strip() == "300000"


def test_a_signal_reaches_the_whole_group(channel: Channel) -> None:
    with start(
        channel, "sh", "-c", "trap 'echo told; exit 7' INT; echo ready; while :; do sleep 0.02; done"
    ) as running:
        running.expect("ready")
        running.signal(signal.SIGINT)
        done = running.wait(10)
    assert (done.returncode, done.stdout) == (7, "ready\ntold\n")


def test_a_command_that_hangs_is_ended_and_its_words_are_told(channel: Channel) -> None:
    with pytest.raises(TwinError) as caught:
        start(channel, "sh", "-c", "echo waiting; exec sleep 100").wait(0.3)
    assert caught.value.problem == "didn't end within 0.3 s; its last words:\n    | waiting"


def test_what_isnt_said_is_missed(channel: Channel) -> None:
    with (
        start(channel, "echo", "one") as running,
        pytest.raises(TwinError, match="ended with status 0 and never said 'two'"),
    ):
        running.expect("two", 5)


def test_a_command_or_a_directory_that_isnt_there_is_named(channel: Channel) -> None:
    with pytest.raises(TwinError, match=r"`no-such` in the twin: .*No such file or directory: 'no-such'"):
        start(channel, "no-such").wait(5)
    with pytest.raises(TwinError, match="No such file or directory: '/no/such'"):
        start(channel, "true", cwd="/no/such").wait(5)


def test_a_terminal_is_one(channel: Channel) -> None:
    with start(channel, "sh", "-c", 'test -t 0 && read word && echo "got $word"', terminal=True) as running:
        running.resize(30, 100)
        running.write(b"hello\n")
        assert "got hello" in running.wait(10).stdout


def test_a_child_that_stays_doesnt_hold_the_command_up(channel: Channel) -> None:
    done = start(channel, "sh", "-c", "sleep 3 & echo left").wait(2.5)
    assert (done.returncode, done.stdout) == (0, "left\n")


def test_the_world_is_moved_and_refusals_are_told(channel: Channel) -> None:
    world = World(channel.call, FakePorts(), "/sys/devices/platform/gpio-sim.0/gpiochip0")
    world.pull("GPIO17", 1)
    assert world.value(17) == 1
    assert world.pull_path("GPIO4") == "/sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio4/pull"
    with pytest.raises(TwinError, match="asked to dance: ValueError: nobody knows how to 'dance'"):
        channel.call({"what": "dance"})
    with pytest.raises(TwinError, match="can't be pulled to 2"):
        world.pull(17, 2)


def test_another_process_moves_the_same_world(channel: Channel, tmp_path: Path) -> None:
    path = tmp_path / "run" / "twin.sock"
    served = Served(path, channel, FakePorts(), {"root": "host"})
    with pytest.raises(TwinError, match="a twin called twin: is running already"):
        Served(path, channel, FakePorts(), {})
    stream = connect(path)
    assert stream is not None
    other = Channel(stream, lambda: TwinError("the twin", "has gone off"))
    ports = RemotePorts(other)
    World(other.call, ports, "").pull(4, 1)
    assert World(channel.call, ports, "").value(4) == 1
    assert other.call({"what": "about"}) == {"root": "host"}
    ports.feed("ttyAMA0", b"\x00abc")
    assert ports.read("ttyAMA0", 3, 0.0) == b"\x00ab"
    with pytest.raises(TwinError, match="ttyAMA9: is no serial port of the twin"):
        ports.feed("ttyAMA9", b"")
    assert start(other, "echo", "hello").wait(5).stdout == "hello\n"
    other.send(Frame(0, Kind.POWER_OFF))
    assert served.wait(5)
    other.close()
    served.close()
    assert connect(path) is None


def test_a_socket_has_a_name() -> None:
    assert socket_path("a-1", {"XDG_RUNTIME_DIR": "/run/user/5"}) == Path("/run/user/5/axiom-hw/a-1.sock")
    with pytest.raises(TwinError, match="is no name"):
        socket_path("../etc", {})


def test_when_the_agent_goes_everybody_is_told() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours, lambda: TwinError("the twin", "has gone off"))
    running = start(channel, "true")
    theirs.close()
    with pytest.raises(TwinError, match="has gone off"):
        running.wait(5)
    channel.close()


def test_the_machine_ends_with_its_owner_whatever_ends_that(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "console.log").write_text("")
    owner = (
        "import os, subprocess, sys; r, w = os.pipe(); "
        f"p = subprocess.Popen([sys.executable, '-I', '-S', {keeper.__file__!r}, str(r), {str(files)!r}, 'sh', '-c', "
        "'echo $$; exec sleep 100'], pass_fds=(r,)); os.close(r); p.wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    kept = os.pidfd_open(int(process.stdout.readline()))
    process.kill()
    process.wait()
    readable, _, _ = select.select([kept], [], [], 5)
    assert readable, "the machine outlived its owner"
    assert process.stdout.read() == ""  # to the end of the keeper, which has it, too
    assert not files.exists()
    os.close(kept)
    process.stdout.close()


def test_the_keeper_gives_the_status_of_the_command(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    command = [sys.executable, "-I", "-S", keeper.__file__, str(reader), str(tmp_path), "sh", "-c", "exit 5"]
    assert subprocess.run(command, pass_fds=(reader,), check=False).returncode == 5
    assert tmp_path.exists(), "the owner wants to read what was said"
    os.close(reader)
    os.close(writer)
