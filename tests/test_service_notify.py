"""What is sent to the service manager, on a socket of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from axiom_hw.service.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@axiom-hw-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(address.replace("@", "\0", 1))
        found.settimeout(5)
        yield address, found


def test_each_word_is_a_datagram_of_lines(manager: tuple[str, socket.socket]) -> None:
    address, found = manager
    notifier = Notifier(address)
    notifier.ready("2 programs\non a board")
    notifier.alive()
    notifier.alive("7 runs")
    notifier.status("pwm is gone", 19)
    notifier.stopping("making outputs safe")
    notifier.close()
    notifier.alive()
    assert [found.recv(4096).decode() for _ in range(5)] == [
        f"READY=1\nMAINPID={os.getpid()}\nSTATUS=2 programs on a board",
        "WATCHDOG=1",
        "WATCHDOG=1\nSTATUS=7 runs",
        "STATUS=pwm is gone\nERRNO=19",
        "STOPPING=1\nSTATUS=making outputs safe",
    ]
    found.setblocking(False)
    with pytest.raises(BlockingIOError):
        found.recv(1)


@pytest.mark.parametrize(
    ("environment", "watchdog_ns"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 10_000_000_000),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "77"}, 10_000_000_000),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "78"}, 0),  # somebody else's
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_the_environment_is_taken_and_no_child_sees_it(environment: dict[str, str], watchdog_ns: int) -> None:
    given = {"NOTIFY_SOCKET": "/nowhere/notify", "HOME": "/root", **environment}
    notifier = Notifier.take(given, 77)
    assert (notifier.address, notifier.is_asked, notifier.watchdog_ns) == ("/nowhere/notify", True, watchdog_ns)
    assert given == {"HOME": "/root"}
    notifier.close()


def test_where_nobody_asks_nothing_is_sent() -> None:
    notifier = Notifier.take({"WATCHDOG_USEC": "10000000"}, 1)
    assert (notifier.is_asked, notifier.watchdog_ns) == (False, 0)
    notifier.ready("fine")
    notifier.close()


def test_a_manager_that_is_gone_is_told_once_and_stops_nothing() -> None:
    told: list[str] = []
    notifier = Notifier("/nowhere/notify", 0, told.append)
    notifier.alive()
    notifier.alive()
    assert told == ["systemd can't be told at /nowhere/notify: No such file or directory"]
    notifier.close()


def test_an_address_that_is_none_is_told() -> None:
    told: list[str] = []
    assert not Notifier.take({"NOTIFY_SOCKET": "vsock:2:9999"}, 1, told.append).is_asked
    assert told == ["NOTIFY_SOCKET is vsock:2:9999, neither a path nor @name: nothing is sent there"]
