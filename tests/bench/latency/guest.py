"""`python -m tests.bench.latency.guest ...`: measures, on the machine that it runs on; prints JSON for `report`.

Needs root, a chip of gpio-sim's that nobody uses, and two CPUs: all contestants are on CPU 1, whoever changes the
lines on CPU 0. Contestants take turns in rounds; who has no turn is stopped, so that it takes nothing from the others.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from array import array
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, run
from typing import Final

from tests.bench.latency.contestants import CONTESTANTS, CPU, Absent, Contestant, Running
from tests.bench.latency.lines import SimulatedChip, find_chip

STIMULUS_CPU: Final = 0
SETTLE_S: Final = 0.2  # for who was stopped
WARM_UP: Final = 20  # edges of each round that aren't counted
AUTOGROUP: Final = Path("/proc/sys/kernel/sched_autogroup_enabled")
TRACING: Final = Path("/sys/kernel/tracing")


class Stimulus:
    """Changes a line so many times, and sees when an output is set."""

    def __init__(self, binary: Path, chip: SimulatedChip, pause_us: int) -> None:
        self._binary = binary
        self._chip = chip
        self._pause_us = pause_us
        self._events = (_trace_event("irq/irq_handler_entry"), _trace_event("gpio/gpio_value"))

    def edges(self, line: int, count: int, seed: int) -> list[int]:
        """ns from the interrupt of `line` to the set of an output, for each edge; below 0 where none came."""
        numbers = map(str, (*self._events, count, WARM_UP, self._pause_us, seed))
        done = run([self._binary, self._chip.pull(line), *numbers], stdout=PIPE, check=True, preexec_fn=_aside)
        return array("q", done.stdout).tolist()


def main(arguments: list[str]) -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency.guest")
    parser.add_argument("binaries", type=Path, help="the directory of the C programs, built")
    parser.add_argument("--label", default="pinctrl-rp1")
    parser.add_argument("--edges", type=int, default=5000, help="of each contestant (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="(default %(default)s)")
    parser.add_argument("--pause-us", type=int, default=1000, help="at least, between two edges (default %(default)s)")
    parser.add_argument("--idle-s", type=float, default=4.0, help="how long wake-ups are counted (default %(default)s)")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    given = parser.parse_args(arguments)
    chip = find_chip(given.label)
    if AUTOGROUP.exists():  # it weighs sessions against each other, whatever the policies of their processes
        AUTOGROUP.write_text("0")
    stimulus = Stimulus(given.binaries / "stimulus", chip, given.pause_us)
    report: dict[str, dict[str, object]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running: list[Running] = []
        for contestant in CONTESTANTS:
            if not given.only or contestant.name in given.only:
                started = _start(contestant, given.label, given.binaries, folder)
                if isinstance(started, Absent):
                    report[contestant.name] = {"absent": started.why}
                    continue
                stack.callback(started.close)
                started.stop()
                running.append(started)
                report[contestant.name] = {"rounds_ns": [], "missed": 0}
        for number in range(given.rounds):
            count = given.edges * (number + 1) // given.rounds - given.edges * number // given.rounds
            first = number % len(running) if running else 0
            for one in (*running[first:], *running[:first]):
                one.go_on()
                time.sleep(SETTLE_S)
                found = stimulus.edges(one.contestant.line, count, number)
                one.stop()
                _note(report[one.contestant.name], found)
                _say(f"round {number + 1}, {one.contestant.name}: {sorted(found)[len(found) // 2] / 1000:.0f} us")
        for one in running:
            one.go_on()
            time.sleep(SETTLE_S)
            before, start_ns = one.usage(), time.monotonic_ns()
            time.sleep(given.idle_s)
            after, took_s = one.usage(), (time.monotonic_ns() - start_ns) / 1e9
            one.stop()
            cells = report[one.contestant.name]
            cells["wakeups"] = (after.wakeups - before.wakeups) / took_s
            cells["idle_cpu_ns"] = (after.cpu_ns - before.cpu_ns) / took_s
    print(json.dumps(report))
    return 0


def _aside() -> None:
    """On the other CPU; where there is only one, behind everybody who has something to do."""
    os.sched_setaffinity(0, {STIMULUS_CPU})
    if CPU == STIMULUS_CPU:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _trace_event(name: str) -> int:
    """The number that the kernel gave it."""
    event = TRACING / "events" / name / "id"
    if not event.exists():
        run(["mount", "-t", "tracefs", "tracefs", TRACING], check=True)
    return int(event.read_text())


def _start(contestant: Contestant, label: str, binaries: Path, folder: Path) -> Running | Absent:
    started = time.monotonic()
    made = Running.start(contestant, label, binaries, folder)
    why = (
        f" isn't here: {made.why}"
        if isinstance(made, Absent)
        else f" is ready after {time.monotonic() - started:.1f} s"
    )
    _say(contestant.name + why)
    return made


def _note(cells: dict[str, object], found: list[int]) -> None:
    rounds, missed = cells["rounds_ns"], cells["missed"]
    assert isinstance(rounds, list)
    assert isinstance(missed, int)
    rounds.append([ns for ns in found if ns >= 0])
    cells["missed"] = missed + sum(ns < 0 for ns in found)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
