"""docs/watchers.md: its application prints what it says, its board file is understood."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from axiom_hw.board import parse_board
from axiom_hw.board.watch import Comparison
from axiom_hw.board.watch_table import WATCH_KEYS
from axiom_hw.watch.event import EVENT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/watchers.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_application_prints_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "greenhouse.py").write_text(block("python"))
    command = [sys.executable, str(tmp_path / "greenhouse.py"), "--mock", "--engine", "interp"]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert ran.stdout == block("text"), ran.stderr


def test_the_board_file_is_understood() -> None:
    board = parse_board((ROOT / "boards/rpi5-sensors.toml").read_text() + block("toml"), "desk", "desk.toml")
    assert [watch.name for watch in board.watches] == ["warm"]


def test_the_page_names_every_condition_every_key_and_every_field() -> None:
    for test in Comparison:
        assert f"hw.{test.value}(" in PAGE
    for name in (*WATCH_KEYS, *(field.name for field in EVENT.fields if field.name != "reserved")):
        assert re.search(rf"\b{name}\b", PAGE), name
