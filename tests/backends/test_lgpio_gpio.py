"""What is special about lgpio: its FIFO, chips by label, its late and unnumbered edges, and its only thread."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

from axiom_hw.backends.event_queue import EventQueue  # after importorskip
from axiom_hw.backends.gpio import LineInput, LineOutput
from axiom_hw.backends.lgpio_gpio import LgpioBackend, import_lgpio
from axiom_hw.backends.limits import LIMITS, GpioChoice, limits_of, open_gpio
from axiom_hw.board import EdgeDetection
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError, MissingDependency
from axiom_hw.events import Edge
from axiom_hw.scheduler import Scheduler
from tests.backends.fake_gpiod import FakeWorld
from tests.backends.fake_lgpio import FakeLgpio

BOTH = EdgeDetection.BOTH
MS = 1_000_000

MAKES_A_FIFO = """
import os
os.mkfifo(".lgd-nfy0")
fd = os.open(".lgd-nfy0", os.O_RDWR | os.O_NONBLOCK)
"""


class Bench:
    """A Pi 5 whose header is chip 11 today."""

    def __init__(self, dev: Path) -> None:
        self.clock = VirtualClock()
        timers = Scheduler(self.clock)
        timers.start()
        self.header = FakeWorld("pinctrl-rp1", 54, self.clock, timers)
        other = FakeWorld("gpio-brcmstb@107d508500", 32, self.clock, timers)
        self.lgpio = FakeLgpio({11: self.header, 12: other}, self.clock, timers)
        for number in (11, 12):
            (dev / f"gpiochip{number}").touch()
        (dev / "gpiochip4").symlink_to(dev / "gpiochip11")
        self.backend = LgpioBackend(self.lgpio, dev)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_chip_is_found_by_its_label_and_the_others_are_closed(bench: Bench) -> None:
    assert bench.backend.open("gpio-brcmstb@107d508500").label == "gpio-brcmstb@107d508500"
    assert len(bench.lgpio.handles) == 1


def test_a_chip_that_may_not_be_opened_names_the_group(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BackendError, match="may not be opened") as caught:
        bench.backend.open("pinctrl-rp1")
    assert caught.value.errno == errno.EACCES
    assert "usermod -aG gpio" in caught.value.fix


def test_edges_come_late_but_with_the_kernels_time(bench: Bench) -> None:
    request = bench.backend.open("pinctrl-rp1").request_inputs([LineInput(17, BOTH)], "me")
    bench.clock.advance(3 * MS)
    bench.header.drive(17, 1)
    assert request.read_events() == []
    bench.clock.advance(MS // 2)
    (event,) = request.read_events()
    assert (event.timestamp_ns, event.edge) == (3 * MS, Edge.RISING)


def test_a_loss_shows_where_two_edges_of_one_kind_follow_each_other() -> None:
    queue = EventQueue([LineInput(17, BOTH)])
    for at, edge in enumerate((Edge.RISING, Edge.FALLING, Edge.FALLING, Edge.RISING)):
        queue.put(17, edge, at)
    assert [event.line_seqno for event in queue.take(10)] == [1, 2, 4, 5]
    queue.close()


def test_a_full_queue_drops_the_oldest_and_the_numbers_tell() -> None:
    queue = EventQueue([LineInput(17, EdgeDetection.RISING)], room=4)
    for at in range(10):
        queue.put(17, Edge.RISING, at)
    assert [event.line_seqno for event in queue.take(10)] == [7, 8, 9, 10]
    queue.close()


def test_a_watchdogs_report_is_no_edge(bench: Bench) -> None:
    request = bench.backend.open("pinctrl-rp1").request_inputs([LineInput(17, BOTH)], "me")
    bench.lgpio.report(11, 17, 2, 1 * MS)
    assert request.read_events() == []


def test_a_report_after_release_doesnt_end_lgpios_thread(bench: Bench) -> None:
    request = bench.backend.open("pinctrl-rp1").request_inputs([LineInput(17, BOTH)], "me")
    callback = bench.lgpio.callbacks[0]
    request.release()
    bench.lgpio.callbacks.append(callback)  # lgpio's thread was in its list already
    bench.lgpio.report(11, 17, 1, 1 * MS)
    assert not bench.lgpio.thread_died
    assert len(bench.lgpio.handles) == 1, "the chip's own; the request's is closed"


def test_a_busy_line_says_who_holds_it_and_gives_the_others_back(bench: Bench) -> None:
    chip = bench.backend.open("pinctrl-rp1")
    chip.request_outputs([LineOutput(18)], "me")
    with pytest.raises(BackendError, match='is in use by "lg"'):
        chip.request_inputs([LineInput(17, BOTH), LineInput(18)], "me")
    chip.request_inputs([LineInput(17)], "me")


def test_a_debounce_beyond_lgpios_is_refused(bench: Bench) -> None:
    chip = bench.backend.open("pinctrl-rp1")
    with pytest.raises(BackendError, match="a debounce of 6 s; lgpio takes up to 5 s"):
        chip.request_inputs([LineInput(17, BOTH, debounce_ns=6_000 * MS)], "me")


def test_errors_that_lgpio_returns_are_errors_too(bench: Bench) -> None:
    bench.lgpio.gpio_read = lambda handle, gpio: -80  # as with lgpio.exceptions = False
    request = bench.backend.open("pinctrl-rp1").request_inputs([LineInput(17)], "me")
    with pytest.raises(BackendError, match="line 17 of pinctrl-rp1: lgpio says: GPIO not allocated"):
        request.get(17)


def import_in(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lgpio.py").write_text(MAKES_A_FIFO)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lgpio", raising=False)
    monkeypatch.chdir(directory)
    try:
        module = import_lgpio()
        assert Path.cwd() == directory
        os.write(module.fd, b"it goes on without its name")
        os.close(module.fd)
    finally:
        sys.modules.pop("lgpio", None)


def test_the_fifo_isnt_left_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    import_in(here, tmp_path, monkeypatch)
    assert list(here.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a directory that takes no file")
def test_a_directory_that_cant_be_written_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_in(Path("/proc"), tmp_path, monkeypatch)  # root can't write there either


def test_the_real_lgpio_leaves_nothing_behind(tmp_path: Path) -> None:
    if find_spec("lgpio") is None:  # to import it here would leave its FIFO in this directory
        pytest.skip("lgpio has wheels for some machines only")
    code = "from axiom_hw.backends.lgpio_gpio import import_lgpio; print(import_lgpio().get_module_version())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lgpio.py_0.2.")
    assert list(tmp_path.iterdir()) == []


def test_no_place_for_the_fifo_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match="found no place for it") as caught:
        import_lgpio(str(tmp_path / "missing"))
    assert "TMPDIR" in caught.value.fix


def test_without_lgpio_the_option_says_that_gpiod_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with pytest.raises(MissingDependency, match="--gpio lgpio: needs the package lgpio") as caught:
        open_gpio(GpioChoice.LGPIO)
    assert "gpiod does all that lgpio does" in caught.value.fix


def test_the_table_has_a_row_for_each_backend_and_gpiod_falls_short_of_nothing() -> None:
    assert [row.choice for row in LIMITS] == list(GpioChoice)
    assert limits_of(GpioChoice.GPIOD).shortfalls == ()
    assert limits_of(GpioChoice.LGPIO).shortfalls[:2] == (
        "edges come 0.5 ms later",
        "lost edges aren't counted: only that one is missing between two alike can be told",
    )
    assert "no open-drain, open-source outputs" in limits_of(GpioChoice.GPIOZERO).shortfalls
