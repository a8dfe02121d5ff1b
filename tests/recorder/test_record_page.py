"""The page on record and replay shows what its commands print."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from axiom_hw.recorder import blocks
from tests.console_blocks import sessions
from tests.test_docs import ROOT, run

PAGE = (ROOT / "docs/record-and-replay.md").read_text()
_CHANGING = (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", r"\b[0-9a-f]{12,16}\b", r"\d+ bytes", r"[\d.]+ for each event")


def steady(text: str) -> str:
    """Without what is another each time: the date, digests, sizes."""
    for pattern in _CHANGING:
        text = re.sub(pattern, "...", text)
    return text.strip()


@pytest.mark.llvm
def test_its_commands_print_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demos").symlink_to(ROOT / "demos")
    demo = (ROOT / "demos/button.py").read_text()
    (tmp_path / "inverted.py").write_text(demo.replace('gpio_set("led", ctx.value)', 'gpio_set("led", 1 - ctx.value)'))
    monkeypatch.chdir(tmp_path)
    shown = sessions(PAGE)
    assert len(shown) == 6
    for session in shown:
        printed = run("-m", "axiom_hw", *session.command.split()[1:])
        assert steady(printed) == steady(session.shown), session.command


def test_its_offsets_are_those_of_the_code() -> None:
    assert struct.calcsize("<8sHBxI") + 4 == blocks.FILE_BYTES == 20
    assert struct.calcsize("<4sBBxxIIQI") + 4 == blocks.BLOCK_BYTES == 32
    assert blocks.MAGIC.hex(" ") in PAGE
    assert f"Version {blocks.VERSION}." in PAGE
