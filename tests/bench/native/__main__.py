"""`python -m tests.bench.native [--rounds N] [NAME ...]`: all measurements, or those named, as a plain table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from typing import Final

from tests.bench.native import compiling, compute, events, lookups, rings, threads
from tests.bench.native.rounds import ROUND_NS, ROUNDS
from tests.bench.native.setup import Setup, setup
from tests.bench.native.table import Line

BENCHES: Final[dict[str, Callable[[Setup], list[Line]]]] = {
    "compute": compute.run,
    "lookups": lookups.run,
    "events": events.run,
    "threads": threads.run,
    "compiling": compiling.run,
    "rings": rings.run,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.native", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)}; all where none is named")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many interleaved rounds (default %(default)s)")
    parser.add_argument("--round-ms", type=float, default=ROUND_NS / 1e6, help="ms a round (default %(default)s)")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in BENCHES]
    if unknown:
        parser.error(f"{unknown[0]}: no measurement of that name; there are: {', '.join(BENCHES)}")
    with setup(given.rounds, round(given.round_ms * 1e6)) as here:
        system = f"Linux {platform.release()}, Python {platform.python_version()}"
        print(f"{platform.machine()}, {os.cpu_count()} cores, {system}")
        for compiler in here.compilers:
            print(f"{compiler.name}: {compiler.version}")
        print(f"medians of {given.rounds} interleaved rounds; ± half of what the middle half of them spans")
        for name in given.names or BENCHES:
            print(name)
            for line in BENCHES[name](here):
                print(line.text(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
