"""Applications as services: what the manager hears of a run, and what the process ends with."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import axiom_hw as hw
from axiom_hw.app import App
from axiom_hw.board import parse_board
from axiom_hw.cli import main
from axiom_hw.errors import BackendError
from axiom_hw.options import parse_options
from axiom_hw.service import Exit

ROOT = Path(__file__).parents[1]
ON_MOCK = ("--systemd", "--mock", "--real-time", "--engine", "interp")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """What the manager has heard, each time one asks."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def heard() -> list[str]:
            words = []
            while True:
                try:
                    words.append(found.recv(4096).decode().replace(f"MAINPID={os.getpid()}\n", "").replace("\n", " "))
                except BlockingIOError:
                    return words

        yield heard


def run(app: App, body: Callable[[], object] | None, *argv: str) -> int:
    try:
        app.main(body, argv)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_stop_is_the_end_that_was_asked_for(manager: Callable[[], list[str]]) -> None:
    app = App("button", board="rpi5-bench")

    def body() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        app.wait()

    assert run(app, body, *ON_MOCK) == Exit.FINE
    assert manager() == [
        "READY=1 STATUS=0 programs on rpi5-bench, 0 runs, 0 faults",
        "STOPPING=1 STATUS=making outputs safe",
        "STATUS=stopped, outputs are safe",
    ]
    assert "NOTIFY_SOCKET" not in os.environ, "no child may speak for the service"


def test_without_the_option_a_stop_ends_as_ever(manager: Callable[[], list[str]]) -> None:
    app = App("button", board="rpi5-bench")

    def body() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        app.wait()

    assert run(app, body, "--mock", "--real-time") == 128 + signal.SIGTERM
    assert manager() == []


@pytest.mark.parametrize("waiting", ["run", "records"])
def test_a_stop_that_another_thread_took_is_heard(waiting: str) -> None:
    """As after `kill -STOP`, when the kernel hands what comes meanwhile to any thread."""
    app = App("button", board="rpi5-bench")
    app.ringbuf("edges", hw.u64)

    def body() -> None:
        # Late enough for the main thread to sleep; were it earlier, this would pass all the same.
        threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()
        if waiting == "run":
            app.wait()
        else:
            assert not list(app.records())

    assert run(app, body, "--mock", "--real-time", "--for", "60s") == 128 + signal.SIGTERM


def test_where_nobody_asked_it_runs_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    app = App("button", board="rpi5-bench")
    assert run(app, None, *ON_MOCK, "--for", "10ms") == 0
    assert capsys.readouterr().err == (
        "button: --systemd, but nobody asked to be told: there is no NOTIFY_SOCKET\n"
        "button: ready, 0 programs on rpi5-bench, 0 runs, 0 faults\n"
    )


def test_a_device_that_fails_later_ends_it_with_its_own_number(
    manager: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    app = App("button", board="rpi5-bench")

    def body() -> None:
        app._device_failed(BackendError("lines 17 of pinctrl-rp1", "have no readable events", errno=19))
        app.wait()

    assert run(app, body, *ON_MOCK) == Exit.ABSENT
    assert manager()[1] == "STATUS=lines 17 of pinctrl-rp1: have no readable events ERRNO=19"


def test_before_it_is_ready_a_mistake_has_a_number_too(
    manager: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    board = parse_board('[chip.header]\nlabel = "pinctrl-rp1"\n', "bare", "boards/bare.toml")
    app = App("button", board=board)

    @app.on("gpio/button")
    def follow(ctx: hw.GpioEvent) -> int:
        return 0

    assert run(app, None, *ON_MOCK) == Exit.REFUSED
    (status,) = manager()
    assert "follow, section 'gpio/button' on boards/bare.toml: has no input `button`" in status


def test_a_board_that_nobody_knows_isnt_tried_again(manager: Callable[[], list[str]]) -> None:
    assert run(App("button", board="rpi5-bnch"), None, *ON_MOCK) == Exit.BOARD
    assert manager()[0].startswith("STATUS=board `rpi5-bnch`: isn't known")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import axiom_hw as hw\napp = hw.App('x')\n@app.on('gpoi/x')\ndef f(ctx): return 0\n", Exit.REFUSED),
        ("def f(:\n", Exit.REFUSED),
        (None, Exit.REFUSED),
    ],
)
def test_a_script_that_makes_no_app_ends_as_a_service_does(tmp_path: Path, source: str | None, code: Exit) -> None:
    path = tmp_path / "app.py"
    if source is not None:
        path.write_text(source)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(path), *ON_MOCK[:3]])
    assert ended.value.code == code


@pytest.mark.parametrize("argv", [["--mock"], ["--replay", "a.axr"], ["--replay", "a.axr", "--real-time"]])
def test_a_service_runs_in_real_time(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options("button", ["--systemd", *argv])
    assert ended.value.code == 2
    assert "--systemd runs in real time, on real devices or with --mock --real-time" in capsys.readouterr().err


def test_as_a_process_it_speaks_to_the_manager_and_to_the_journal(tmp_path: Path) -> None:
    """The whole of it once: the command, an abstract socket, the watchdog, the journal, SIGTERM."""
    address = f"@axiom-hw-run-{os.getpid()}"
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        (tmp_path / "journal").open("w+") as journal,
    ):
        manager.bind(address.replace("@", "\0"))
        manager.settimeout(30)
        found = os.fstat(journal.fileno())
        environment = {
            **os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000",
            "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}",
        }  # fmt: skip
        command = [sys.executable, "-m", "axiom_hw", "run", "demos/button.py", *ON_MOCK]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=journal, stderr=journal) as process:
            words = [manager.recv(4096).decode() for _ in range(3)]
            process.send_signal(signal.SIGTERM)
            while not words[-1].startswith("STATUS=stopped"):
                words.append(manager.recv(4096).decode())
            assert process.wait(30) == 0
        assert words[0].startswith(f"READY=1\nMAINPID={process.pid}\nSTATUS=1 program on rpi5-bench")
        assert [word.partition("\n")[0] for word in words[1:3]] == ["WATCHDOG=1", "WATCHDOG=1"]
        assert words[-2:] == ["STOPPING=1\nSTATUS=making outputs safe", "STATUS=stopped, outputs are safe"]
        journal.seek(0)
        assert journal.readline() == "<6>button: ready, 1 program on rpi5-bench, 0 runs, 0 faults\n"
        assert all(line.startswith("<6>") for line in journal)
