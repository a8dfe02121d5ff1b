"""Outputs that fail or hang, and many threads at once: the safe state is the last word."""

from __future__ import annotations

import errno
import threading

import pytest

from axiom_hw.actuation import Actuator, Failure, Guard, Verdict
from axiom_hw.board import OutputLine
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError, OutputError
from tests.actuation.guard_bench import MS, Device, fail


def test_the_safe_state_tries_all_and_reports_those_that_failed() -> None:
    first, broken, last = Device("first", 0), Device("broken", 1, fail), Device("last", 2)
    guard = Guard([d.actuator for d in (first, broken, last)], VirtualClock())
    for line in (0, 2):
        guard.set_gpio(line, 1, "follow")
    assert guard.set_gpio(1, 1, "follow") == -errno.EIO
    assert guard.audit()[-1].verdict is Verdict.FAILED
    assert guard.safe_state() == (Failure("broken", "EIO"),)
    assert (first.written, last.written) == ([1, 0], [1, 0])
    assert guard.emergency_stop("test", "test") == -errno.EIO
    with pytest.raises(OutputError, match=r"safe state: wasn't reached by broken \(EIO\)"), guard:
        pass
    assert [device.released for device in (first, broken, last)] == [1, 1, 1]


def test_an_exception_that_nobody_foresaw_leaves_no_other_output_live() -> None:
    def bug(value: int) -> None:
        raise ZeroDivisionError

    broken, last = Device("broken", 0, bug), Device("last", 1)
    guard = Guard([broken.actuator, last.actuator], VirtualClock())
    for ends in (lambda: guard.emergency_stop("test", "test"), guard.safe_state, guard.close):
        last.written.append(1)
        with pytest.raises(ZeroDivisionError):
            ends()
        assert last.written[-1] == 0
    assert [device.released for device in (broken, last)] == [1, 1]


def test_a_failed_read_is_its_number() -> None:
    def read() -> int:
        raise BackendError("line 3", "can't be read", errno=errno.EIO)

    guard = Guard([Actuator(OutputLine("x", 0, 3, 0), lambda v, e: None, read, lambda: None)], VirtualClock())
    assert guard.get_gpio(3) == -errno.EIO
    assert guard.get_gpio(4) == -errno.ENODEV


def test_nobody_waits_for_a_write_and_a_stop_is_the_last_word() -> None:
    """A thread hangs in a write; others, and a stop, hand their orders over; it writes them in order when it's back."""
    inside, go_on = threading.Event(), threading.Event()

    def hang(value: int) -> None:
        if not inside.is_set():
            inside.set()
            assert go_on.wait(10)

    device = Device("motor", 0, hang)
    guard = Guard([device.actuator], VirtualClock())
    thread = threading.Thread(target=guard.set_gpio, args=(0, 1, "slow"))
    thread.start()
    assert inside.wait(10)
    assert guard.set_gpio(0, 1, "second") == 0
    assert guard.emergency_stop("now", "safety") == 0
    assert device.written == []
    go_on.set()
    thread.join()
    assert device.written == [1, 0, 0]
    assert [d.verdict for d in guard.audit()] == [
        Verdict.LATCHED, Verdict.APPLIED, Verdict.STOPPED, Verdict.APPLIED,
    ]  # fmt: skip


def test_the_safe_state_writes_past_a_thread_that_hangs() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang(value: int) -> None:
        if value == 1:
            inside.set()
            assert go_on.wait(10)

    device = Device("motor", 0, hang)
    guard = Guard([device.actuator], VirtualClock(), settle_ns=10 * MS)
    thread = threading.Thread(target=guard.set_gpio, args=(0, 1, "slow"))
    thread.start()
    assert inside.wait(10)
    assert guard.safe_state() == ()
    assert device.written == [0]
    go_on.set()
    thread.join()
    assert device.written == [0, 1, 0], "what the thread wrote late is made safe by the order that still waited"


def test_many_threads_write_and_the_stop_wins() -> None:
    devices = [Device(f"d{line}", line) for line in range(2)]
    guard = Guard([device.actuator for device in devices], VirtualClock(), audit_entries=100_000)
    ready = threading.Barrier(5)

    def writer(number: int) -> None:
        ready.wait()
        for step in range(500):
            guard.set_gpio(step % 2, 1, f"writer {number}")

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    guard.emergency_stop("now", "safety")
    for thread in threads:
        thread.join()
    assert [device.written[-1] for device in devices] == [0, 0]
    for device in devices:
        safe_from = device.written.index(0)
        assert 1 not in device.written[safe_from:], "no write comes after the stop's"
    assert sum(len(device.written) for device in devices) == 4 * 500 + 2, "each order is written once"
    assert len({decision.number for decision in guard.audit()}) == len(guard.audit()) == 4 * 500 + 3
