"""`axiom-hw replay`: a recording through programs once more, what two programs make of it, or what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from axiom_hw import console
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.cli.output import table
from axiom_hw.errors import SpecError

if TYPE_CHECKING:
    from axiom_hw.app import App
    from axiom_hw.board import Board
    from axiom_hw.recorder.reading import Recording
    from axiom_hw.replay import Outcome
    from axiom_hw.replay_diff import Difference

_ROWS: Final = 20  # differences that are shown without --all


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("replay")(replay_)


def replay_(
    file: Annotated[str, typer.Argument(metavar="RECORDING", help="What --record made (.axr)")],
    program: Annotated[
        str, typer.Argument(metavar="[PROGRAM]", help="An application (.py), a .bpf.o or a .bpf.s", show_default=False)
    ] = "",
    diff: Annotated[
        str, typer.Option(metavar="OTHER", help="What OTHER makes otherwise; without PROGRAM, than was recorded")
    ] = "",
    info: Annotated[bool, typer.Option("--info", help="What the recording holds")] = False,
    board: Annotated[str, typer.Option(metavar="NAME", help="A board of boards/, or a path; else the program's")] = "",
    engine: Annotated[
        Engine, typer.Option(help="interp, llvm (native code), or auto: llvm where it can be")
    ] = Engine.AUTO,
    real_time: Annotated[bool, typer.Option("--real-time/--virtual", help="Let time pass as it did, or not")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compile anew, and keep nothing on disk")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Show every difference")] = False,
) -> None:
    """Feed a recording to programs: the same events at the same times.

    Readings and random numbers are the recorded ones, too.

    Exits with 1 where the recorded programs come to something else than when they were recorded, and where --diff
    finds a difference.
    """
    from axiom_hw.recorder.reading import read_recording, told_damage
    from axiom_hw.replay import differences_to_record, doubts
    from axiom_hw.replay_diff import differences, differences_from_record

    recording = read_recording(file)
    if told := told_damage(recording):
        typer.echo(told, err=True)
    if info or not (program or diff):
        _info(recording)
        return

    def outcome_of(path: str) -> Outcome:
        return _outcome(recording, path, board, engine, real_time=real_time, cache=not no_cache)

    first = outcome_of(program) if program else None
    if diff:
        other = outcome_of(diff)
        if first is not None:
            rows, a = differences(first, other), program
        else:
            rows, a = differences_from_record(recording, other), "recorded"
        _show(rows, a, diff, None if all_ else _ROWS)
        raise typer.Exit(1 if rows else 0)
    assert first is not None, "there is a program, or --diff"
    _summary(recording, first)
    why = doubts(recording, first)
    for doubt in why:
        typer.echo(f"note: {doubt}")
    found = differences_to_record(recording, first)
    for difference in found:
        typer.echo(f"differs: {difference}")
    if not found and recording.programs:
        typer.echo(f"identical to the recorded run: {_compared(recording, first)}")
    raise typer.Exit(1 if found and not why else 0)


def _outcome(recording: Recording, path: str, board: str, engine: Engine, *, real_time: bool, cache: bool) -> Outcome:
    from axiom_hw.replay import replay

    app = _application(path)
    return replay(recording, app, _board(recording, app, board), engine, real_time=real_time, cache=cache)


def _application(path: str) -> App:
    from axiom_hw.app import App
    from axiom_hw.cli.applications import applications_in

    if not path.endswith(".py"):
        app = App(path)
        app.load(path)
        return app
    apps = applications_in(path)
    if len(apps) > 1:
        names = ", ".join(app.name for app in apps)
        raise SpecError(
            path, f"makes {len(apps)} applications ({names}); a replay runs one", "give it a file of its own"
        )
    return apps[0]


def _board(recording: Recording, app: App, wanted: str) -> Board | None:
    from axiom_hw.board import load_board

    named = wanted or app.board or recording.header.board
    board = load_board(named) if isinstance(named, str) and named else named or None
    if isinstance(board, str):
        return None
    console.tell_recorded_board(recording, board)
    return board


def _summary(recording: Recording, outcome: Outcome) -> None:
    seconds = (recording.end_ns - recording.header.start_ns) / 1e9
    typer.echo(f"{_count(outcome.fed, 'event')} in {seconds:g} s")
    for runs in outcome.runs:
        count = len(runs.returned) + len(runs.faults)
        faults = _count(len(runs.faults), "fault") if runs.faults else "no fault"
        typer.echo(f"{runs.name} on {runs.section}: {_count(count, 'run')}, {faults}")
        for fault in runs.faults[:1]:
            typer.echo(f"    {fault}")
    for found in outcome.maps:
        typer.echo(f"map {found.name}: {_count(len(found.entries), 'entry', 'entries')}, contents {found.digest}")
    for ring in outcome.rings:
        typer.echo(f"ring {ring.name}: {_count(len(ring.records), 'record')}")


def _compared(recording: Recording, outcome: Outcome) -> str:
    end = recording.end
    maps = len([name for name in outcome.digests if end is not None and name in end.maps])
    writes, raised = len(outcome.outputs), len(outcome.caused)
    return ", ".join((_count(maps, "map"), _count(writes, "output write"), _count(raised, "event") + " of programs"))


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _show(rows: Sequence[Difference], a: str, b: str, most: int | None) -> None:
    typer.echo(f"--- {a}")
    typer.echo(f"+++ {b}")
    for row in rows[:most]:
        typer.echo(row.place)
        typer.echo(f"  - {row.a}")
        typer.echo(f"  + {row.b}")
    if most is not None and len(rows) > most:
        typer.echo(f"... and {len(rows) - most} more; --all shows them")
    typer.echo(_count(len(rows), "difference") if rows else "no difference")


def _info(recording: Recording) -> None:
    header, counts = recording.header, recording.counts()
    began = datetime.fromtimestamp(header.start_realtime_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    caused = sum(event.is_caused for event in recording.events)
    size = f"{recording.size_bytes} bytes"
    blocks = recording.size_bytes - recording.header_bytes
    each = f"; behind the header, {blocks / len(recording.events):.1f} for each event" if recording.events else ""
    rows = [
        ("recorded", f"{began} by axiom_hw {header.version}, {(recording.end_ns - header.start_ns) / 1e9:g} s"),
        ("clock", f"{header.clock}, from {header.start_ns} ns"),
        ("board", f"{header.board} ({header.board_digest[:12]})" if header.board else "none"),
        ("engine", f"{header.engine}, seed {header.seed}"),
        ("events", f"{len(recording.events)}, {caused} of them raised by programs"),
        ("size", f"{size}{each}"),
        ("closed", "in order" if recording.end is not None else "no: see above"),
    ]
    for name, told in rows:
        typer.echo(f"{name:<9} {told}")
    for program in recording.programs:
        typer.echo(f"program   {program.name} on {program.section} ({program.digest})")
    typer.echo("")
    hooks = sorted(counts.items())
    lost = _lost(recording)
    table(("hook", "name", "events", "lost"), [
        (key, _name(recording, key), str(count), str(lost.get(key, 0))) for key, count in hooks
    ])  # fmt: skip


def _name(recording: Recording, hook: str) -> str:
    wire = next(
        (wire for wire in recording.header.wires if hook == wire.path or hook.startswith(wire.path + "/")), None
    )
    return wire.name if wire is not None else ""


def _lost(recording: Recording) -> dict[str, int]:
    """By hook, what its events say was lost before them."""
    from axiom_hw.recorder.fields import fields_of

    found: dict[str, int] = {}
    for event in recording.events:
        lost = next((value for name, value in fields_of(recording, event) if name in ("lost", "overruns")), 0)
        if isinstance(lost, int) and lost:
            found[str(event.key)] = found.get(str(event.key), 0) + lost
    return found
