"""`axiom-hw export`: a recording in a format of other programs: VCD, CSV, Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.output import write_bytes
from axiom_hw.errors import SpecError

if TYPE_CHECKING:
    from axiom_hw.recorder.reading import Recording


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("export")(export)


def export(
    file: Annotated[str, typer.Argument(metavar="RECORDING", help="What --record made (.axr)")],
    to: Annotated[str, typer.Argument(metavar="FILE", help="Where to: its end says the format: .vcd, .csv, .parquet")],
) -> None:
    """Write a recording as VCD, CSV or Parquet.

    VCD is for PulseView and GTKWave; Parquet needs axiom-hw[parquet].
    """
    from axiom_hw.recorder.reading import read_recording, told_damage

    ending = Path(to).suffix.lower()
    if ending not in (".vcd", ".csv", ".parquet"):
        raise SpecError(to, "doesn't say by its end what format to write", "name it .vcd, .csv or .parquet")
    recording = read_recording(file)
    if told := told_damage(recording):
        typer.echo(told, err=True)
    write_bytes(_written(recording, ending), to)
    typer.echo(f"{to}: {len(recording.events)} events", err=True)


def _written(recording: Recording, ending: str) -> bytes:
    from axiom_hw.recorder.tables import to_csv, to_parquet
    from axiom_hw.recorder.vcd_export import to_vcd

    return {".vcd": to_vcd, ".csv": to_csv, ".parquet": to_parquet}[ending](recording)
