"""`python -m tests.bench.latency.guest ...`: measures, on the machine that it runs on; prints JSON for `report`.

Needs root, and a chip of gpio-sim's that nobody uses. All contestants are on the last CPU, whoever changes the lines
is on CPU 0. They take turns in rounds; who has no turn is stopped, so that it takes nothing from the others.
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

from tests.bench.latency.contestants import CONTESTANTS, CPU, Absent, Running
from tests.bench.latency.lines import SimulatedChip, find_chip

LABEL: Final = "pinctrl-rp1"
STIMULUS_CPU: Final = 0
PAUSE_US: Final = 1000  # at least, between two edges
IDLE_S: Final = 4.0  # how long wake-ups are counted
SETTLE_S: Final = 0.2  # for who was stopped
WARM_UP: Final = 20  # edges of each round that aren't counted
AUTOGROUP: Final = Path("/proc/sys/kernel/sched_autogroup_enabled")
TRACING: Final = Path("/sys/kernel/tracing")


class Stimulus:
    """Changes a line so many times, and sees when an output is set."""

    def __init__(self, binary: Path, chip: SimulatedChip) -> None:
        self._binary = binary
        self._chip = chip
        self._events = (_trace_event("irq/irq_handler_entry"), _trace_event("gpio/gpio_value"))

    def edges(self, line: int, count: int, seed: int) -> list[int]:
        """ns from the interrupt of `line` to the set of an output, for each edge; below 0 where none came."""
        numbers = map(str, (*self._events, count, WARM_UP, PAUSE_US, seed))
        done = run([self._binary, self._chip.pull(line), *numbers], stdout=PIPE, check=True, preexec_fn=_aside)
        return array("q", done.stdout).tolist()


def main(arguments: list[str]) -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency.guest")
    parser.add_argument("binaries", type=Path, help="the directory of the C programs, built")
    parser.add_argument("--edges", type=int, required=True, help="of each contestant")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    given = parser.parse_args(arguments)
    if AUTOGROUP.exists():  # it weighs sessions against each other, whatever the policies of their processes
        AUTOGROUP.write_text("0")
    stimulus = Stimulus(given.binaries / "stimulus", find_chip(LABEL))
    report: dict[str, dict[str, object]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running: list[Running] = []
        for contestant in CONTESTANTS:
            if given.only and contestant.name not in given.only:
                continue
            started = Running.start(contestant, LABEL, given.binaries, folder)
            if isinstance(started, Absent):
                _say(f"{contestant.name} isn't here: {started.why}")
                report[contestant.name] = {"absent": started.why}
                continue
            _say(f"{contestant.name} is ready")
            stack.callback(started.close)
            started.stop()
            running.append(started)
        found = _in_rounds(running, stimulus, given.edges, given.rounds)
        for one in running:
            rounds = found[one.contestant.name]
            report[one.contestant.name] = {
                "rounds_ns": [[ns for ns in edges if ns >= 0] for edges in rounds],
                "missed": sum(ns < 0 for edges in rounds for ns in edges),
                **_idle(one),
            }
    print(json.dumps(report))
    return 0


def _in_rounds(running: list[Running], stimulus: Stimulus, edges: int, rounds: int) -> dict[str, list[list[int]]]:
    """The edges of each round, by the contestant's name. Each round begins with another one."""
    found: dict[str, list[list[int]]] = {one.contestant.name: [] for one in running}
    for number in range(rounds):
        count = edges * (number + 1) // rounds - edges * number // rounds
        first = number % max(1, len(running))
        for one in (*running[first:], *running[:first]):
            one.go_on()
            time.sleep(SETTLE_S)
            found[one.contestant.name].append(stimulus.edges(one.contestant.line, count, number))
            one.stop()
        _say(f"round {number + 1} of {rounds}")
    return found


def _idle(one: Running) -> dict[str, float]:
    """What it does a second, while no edge comes."""
    one.go_on()
    time.sleep(SETTLE_S)
    before, start_ns = one.usage(), time.monotonic_ns()
    time.sleep(IDLE_S)
    after, took_s = one.usage(), (time.monotonic_ns() - start_ns) / 1e9
    one.stop()
    return {
        "wakeups": (after.wakeups - before.wakeups) / took_s,
        "idle_cpu_ns": (after.cpu_ns - before.cpu_ns) / took_s,
    }


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


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
