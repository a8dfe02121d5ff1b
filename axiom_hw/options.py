"""The options that every application takes on its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from axiom_hw.backends.limits import GpioChoice
from axiom_hw.board.units import parse_duration_ns
from axiom_hw.bpf.engine.choice import Engine


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: `mock` devices in virtual time (or `real_time`), another `board`, an end after `duration_ns`.

    `trace` shows what programs print. `engine` runs the programs; with `cache`, compiled ones are kept on disk.
    `gpio` is what real lines are reached by. `record` is a file to record the run to, `replay` one to take the events
    from. `state` is the directory that keeps the emergency stop; on the mock, none is kept without it. `supervised` is
    whether a process of its own makes outputs safe when this one is killed: on real devices, and on the mock in real
    time with a `state`. With `systemd` the run is a service: see docs/service.md.
    """

    mock: bool = False
    real_time: bool = False
    board: str | None = None
    duration_ns: int | None = None
    trace: bool = False
    engine: Engine = Engine.AUTO
    cache: bool = True
    gpio: GpioChoice = GpioChoice.GPIOD
    record: str | None = None
    replay: str | None = None
    state: str | None = None
    supervised: bool = True
    systemd: bool = False


def parse_options(name: str, argv: Sequence[str]) -> Options:
    """Read a command line. Prints usage and exits with 2 for what it can't read, as commands do."""
    parser = argparse.ArgumentParser(prog=name, allow_abbrev=False)
    parser.add_argument("--mock", action="store_true", help="no hardware: mock devices, in virtual time")
    parser.add_argument("--real-time", action="store_true", help="with --mock or --replay: let time pass as it does")
    parser.add_argument("--board", metavar="NAME", help="a board of boards/, the path of a file, or auto")
    parser.add_argument("--for", dest="duration_ns", type=_duration, metavar="TIME", help="end after 10s, 500ms, ...")
    parser.add_argument("--trace", action="store_true", help="show what the programs print")
    parser.add_argument(
        "--engine", choices=[engine.value for engine in Engine], default=Engine.AUTO.value, metavar="|".join(Engine),
        help="what runs the programs: the interpreter, native code, or the first until the second is ready (auto)",
    )  # fmt: skip
    parser.add_argument("--no-cache", action="store_true", help="compile anew, and keep nothing on disk")
    parser.add_argument(
        "--gpio", choices=[choice.value for choice in GpioChoice], metavar="|".join(GpioChoice),
        help="what real lines are reached by: gpiod, or another where that can't be; the doctor compares them",
    )  # fmt: skip
    parser.add_argument("--record", metavar="FILE", help="record every event to a file, for `axiom-hw replay`")
    parser.add_argument("--replay", metavar="FILE", help="no hardware: the events of a recording, in virtual time")
    parser.add_argument(
        "--state",
        metavar="DIR",
        help="where the emergency stop is kept, and what the guard decided; see docs/safety.md",
    )
    parser.add_argument(
        "--no-supervisor", action="store_true", help="no process that makes outputs safe when this one is killed"
    )
    parser.add_argument(
        "--systemd",
        action="store_true",
        help="as a service of systemd: ready, watchdog, journal; see docs/service.md",
    )
    found = parser.parse_args(argv)
    if found.replay is not None and found.mock:
        parser.error("--replay has devices of its own: it doesn't go with --mock")
    if found.replay is not None and found.record is not None:
        parser.error("--replay brings what is recorded already: it doesn't go with --record")
    if found.gpio is not None and (found.mock or found.replay is not None):
        parser.error(f"--gpio chooses among real devices: it doesn't go with --{'mock' if found.mock else 'replay'}")
    if found.real_time and not found.mock and found.replay is None:
        parser.error("--real-time goes with --mock or --replay: real devices always run in real time")
    if found.systemd and (found.replay is not None or (found.mock and not found.real_time)):
        parser.error("--systemd runs in real time, on real devices or with --mock --real-time")
    return Options(
        found.mock,
        found.real_time,
        found.board,
        found.duration_ns,
        found.trace,
        Engine(found.engine),
        not found.no_cache,
        GpioChoice(found.gpio or GpioChoice.GPIOD),
        found.record,
        found.replay,
        found.state,
        not found.no_supervisor,
        found.systemd,
    )


def _duration(text: str) -> int:
    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
