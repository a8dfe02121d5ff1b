"""A release as one archive, the same bytes for the same content: its SHA-256 says whether the board has it already."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Final

from axiom_deploy.access import groups_of, overlay_lines, rules_text
from axiom_deploy.observing import Observed
from axiom_deploy.settings import Settings
from axiom_deploy.shared import sha256
from axiom_deploy.verifying import Application
from axiom_deploy.wheels import Wheel, lock_text
from axiom_hw.service import Unit, unit_text

HERE: Final = "/@RELEASE@"  # stands for the directory of the release, whose name isn't part of its content


@dataclass(frozen=True, slots=True)
class Bundle:
    """What travels beside the wheels. `files` are texts and bytes by their paths in the release."""

    files: tuple[tuple[str, bytes], ...]
    data: bytes
    digest: str
    groups: tuple[str, ...]
    rules: str
    config: tuple[str, ...]


def make_bundle(application: Application, wheels: tuple[Wheel, ...], seen: Observed, settings: Settings) -> Bundle:
    """Put it together for one board."""
    mock = "--mock" in settings.args
    bench = None if mock else application.board
    board, shipped = _shipped_board(application)
    rules = rules_text(settings.name, bench)
    groups = groups_of(bench)
    lines = overlay_lines(settings.name, bench, seen)
    manifest = {
        "name": settings.name, "app": application.entry, "board": board, "groups": groups, "rules": rules,
        "config": lines, "programs": application.programs,
    }  # fmt: skip
    files = (
        *((f"app/{name}", data) for name, data in application.files),
        *shipped,
        ("lock.json", lock_text(wheels, seen).encode()),
        ("manifest.json", (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()),
        (settings.unit, _unit(application, board, seen, settings).encode()),
    )
    data = _archive(files)
    return Bundle(files, data, sha256(data), groups, rules, lines)


def _shipped_board(application: Application) -> tuple[str, tuple[tuple[str, bytes], ...]]:
    """The board file that the programs were proved with goes along: there may be another one of that name."""
    board = application.board
    if board is None or not board.source.endswith(".toml"):
        return "", ()
    inner = f"board/{board.name}.toml"
    with open(board.source, "rb") as file:
        return f"{HERE}/{inner}", ((inner, file.read()),)


def _unit(application: Application, board: str, seen: Observed, settings: Settings) -> str:
    text = unit_text(Unit(
        app=f"{HERE}/app/{application.entry}", command=(f"{HERE}/venv/bin/python", "-m", "axiom_hw"),
        board=application.board, name=settings.name, board_option=board, options=settings.args,
        network=settings.network,
    ))  # fmt: skip
    check = (
        "# After a deploy that was cut off in the middle of a switch: back to the release before it, as root.\n"
        f"ExecStartPre=+{seen.executable} {settings.base}/agent.pyz --root {settings.root} {settings.name} "
        f"check {HERE}\n"
    )
    head, mark, tail = text.partition("ExecStart=")
    assert mark
    return f"{head}{check}{mark}{tail}"


def _archive(files: tuple[tuple[str, bytes], ...]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()
