"""`python -m tests.bench.latency`: boots the twin, measures, prints a table, and says which goals are reached."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin import Twin
from axiom_hw.twin.cache import cache_directory, digest_of
from tests.bench.latency.builds import SOURCES, BuildError, build
from tests.bench.latency.contestants import ROOT
from tests.bench.latency.figures import table, verdicts
from tests.bench.latency.report import Report, parse_report

EDGES: Final = 5000
ROUNDS: Final = 10
_BOOT_S: Final = 300.0  # on a busy machine
_TIMEOUT_S: Final = 1800.0
_CLOCKS: Final = (
    "one processor that takes 1 ns for an instruction",
    "two processors in this machine's time",
)


def measure(edges: int, rounds: int, *, real_time: bool = False, only: Sequence[str] = ()) -> Report:
    """One boot, so many edges of each contestant, in so many rounds. What goes on is told on standard error.

    With `real_time` on two processors in this machine's time, which says little unless it is idle and has KVM.
    Raises `BuildError`, `TwinError`, and `ValueError` for a measurement that failed.
    """
    binaries = cache_directory().parent / "latency" / digest_of(*(source.read_bytes() for source in SOURCES))
    build(binaries)
    with Twin.boot(
        counted=not real_time, frozen=True, processors=2 if real_time else 1, timeout_s=_BOOT_S, say=_tell
    ) as twin:
        _tell(f"Linux {twin.about.release} is up after {twin.about.boot_s:.0f} s")
        command = [sys.executable, "-m", "tests.bench.latency.guest", str(binaries)]
        done = twin.run(
            [*command, "--edges", str(edges), "--rounds", str(rounds), "--only", *only],
            env={"PYTHONPATH": str(ROOT)}, cwd="/tmp", timeout=_TIMEOUT_S, err=_pass_on,
        )  # fmt: skip
        if done.returncode:
            raise ValueError(f"the measurement in the twin ended with {done.returncode}")
        return parse_report(done.stdout)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _pass_on(data: bytes) -> None:
    sys.stderr.write(data.decode(errors="replace"))
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Exit code 1 where a goal isn't reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency", description=__doc__)
    parser.add_argument("--edges", type=int, default=EDGES, help="of each contestant (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="(default %(default)s)")
    parser.add_argument(
        "--real-time", action="store_true", help="two processors in this machine's time, instead of one that counts"
    )
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="some of the rows, by their names")
    given = parser.parse_args(arguments)
    try:
        report = measure(given.edges, given.rounds, real_time=given.real_time, only=given.only)
    except (BuildError, TwinError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{given.edges} edges each in {given.rounds} interleaved rounds; {_CLOCKS[given.real_time]}")
    print(table(report.found))
    for name, why in report.absent:
        print(f"{name}: not measured, {why}")
    found = verdicts(report.found)
    for verdict in found:
        print(verdict.text())
    return 0 if all(verdict.is_reached for verdict in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
