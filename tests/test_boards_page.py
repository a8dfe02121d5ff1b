"""docs/boards.md and the table of keys say what the parsers take; the page's parts derive from the tables."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from axiom_hw.board import load, parse_board
from axiom_hw.board.i2c import BUS_KEYS, SENSOR_KEYS
from axiom_hw.board.iio import HWMON_KEYS, IIO_KEYS
from axiom_hw.board.reference import SECTIONS
from axiom_hw.board.rows import INPUT_KEYS, OUTPUT_KEYS
from axiom_hw.board.serial import SERIAL_KEYS
from axiom_hw.board.watch_table import WATCH_KEYS
from axiom_hw.cli import main

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/boards.md"
TABLES = {
    "chip": load._CHIP,
    "pwm_chip": load._PWM_CHIP,
    "input": INPUT_KEYS,
    "output": OUTPUT_KEYS,
    "iio": IIO_KEYS,
    "hwmon": HWMON_KEYS,
    "i2c_bus": BUS_KEYS,
    "sensor": SENSOR_KEYS,
    "serial": SERIAL_KEYS,
    "watch": WATCH_KEYS,
}


def documented(table: str) -> set[str]:
    sections = [section for section in SECTIONS if section.header.startswith(f"[{table}.NAME]")]
    return {key.name for section in sections for key in section.keys}


@pytest.mark.parametrize("table", TABLES)
def test_each_key_of_a_table_is_documented(table: str) -> None:
    assert documented(table) == set(TABLES[table])


def test_each_table_is_documented() -> None:
    headers = {found[1] for section in SECTIONS if (found := re.match(r"\[(\w+)\.NAME\]", section.header))}
    (top,) = (section for section in SECTIONS if not section.header)
    assert headers | {key.name for key in top.keys} == set(load._TOP)
    assert headers == set(TABLES)


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["boards", "--keys"])
    out = capsys.readouterr().out
    for section in SECTIONS:
        assert section.meaning in out
        assert all(key.meaning in out for key in section.keys)


def test_the_page_derives_from_the_tables() -> None:
    pages = runpy.run_path(str(ROOT / "docs/make_pages.py"))
    assert pages["boards_page"](PAGE.read_text()) == PAGE.read_text(), "run `make docs`"


def test_the_board_file_of_the_page_is_understood() -> None:
    pieces = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    board = parse_board("".join(pieces), "desk", "boards/desk.toml")
    assert [line.name for line in board.inputs] == ["button"]
    assert [output.name for output in board.outputs] == ["lamp", "dimmer"]
