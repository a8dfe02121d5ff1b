"""`axiom-hw explain`, `helpers`, `header` and `boards`: the tables, printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from axiom_hw.bpf import helpers
from axiom_hw.bpf.frontend import codes as frontend
from axiom_hw.bpf.verifier import codes

ROOT = Path(__file__).parents[2]


def test_a_code(cli):
    assert cli("explain", "V103").out == (
        "V103  may be NULL\n\n"
        "why    The pointer wasn't compared with NULL on this path.\n"
        "fix    Test it first: `if (!p) return 0;`.\n"
    )


@pytest.mark.parametrize("given", ["v103", "[V103]"])
def test_a_code_as_people_type_it(cli, given):
    assert cli("explain", given).out.startswith("V103  may be NULL")


def test_all_codes(cli):
    rows = cli("explain").out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [
        *(row.id for row in (*codes.TABLE, *frontend.TABLE)),
        "E001",
        "E002",
        "E003",
    ]
    assert all(cli("explain", row.split()[0]).code == 0 for row in rows)


def test_a_code_that_isnt_there(cli):
    result = cli("explain", "V1O3")
    assert result.code == 1
    assert result.err.startswith("code V1O3: there is none\n    fix    did you mean V103")
    assert "did you mean V103?" in cli("explain", "null").err
    assert "`axiom-hw explain` lists all codes" in cli("explain", "quux").err


def test_all_helpers(cli):
    rows = cli("helpers").out.splitlines()[1:]
    assert [row.split()[:2] for row in rows] == [[str(row.id), row.name] for row in helpers.TABLE]


@pytest.mark.parametrize("name", ["ringbuf_output", "bpf_ringbuf_output", "130"])
def test_a_helper(cli, name):
    rows = cli("helpers", name).out.splitlines()
    assert rows[0] == "ringbuf_output  (call 130)"
    assert "r1  a map" in rows
    assert "maps    ringbuf" in rows


def test_helpers_that_arent_there(cli):
    assert "did you mean gpio_set?" in cli("helpers", "gpio_sett").err
    assert "helper tail_call: isn't supported yet" in cli("helpers", "bpf_tail_call").err
    assert "helper 99999: there is none" in cli("helpers", "99999").err


def test_the_header_is_the_one_beside_the_demo(cli, tmp_path):
    header = (ROOT / "demos/heartbeat/axiom_hw.bpf.h").read_text()
    assert cli("header").out == header
    assert cli("header", "-o", tmp_path / "axiom_hw.bpf.h").out == ""
    assert (tmp_path / "axiom_hw.bpf.h").read_text() == header


def test_the_boards(cli, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = cli("boards")
    assert result.code == 0
    rows = [row.split("  ") for row in result.out.splitlines()]
    assert [row[0] for row in rows[:3]] == ["BOARD", "cm5-bench", "pc"]
    assert re.search(r"^rpi5-bench +Raspberry Pi 5 +button, LED", result.out, flags=re.MULTILINE)


def test_a_board(cli, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli("boards", "rpi5-bench").out.startswith(
        """\
board  rpi5-bench
file   boards/rpi5-bench.toml
model  Raspberry Pi 5
about  button, LED, limit switch, servo and relay on the 40-pin header

CHIP    NAME    FOUND BY        SIZE
gpio 0  header  pinctrl-rp1     54 lines
pwm 0   header  1f00098000.pwm  4 channels

INPUT   AT              BIAS     EDGES  1 MEANS  DEBOUNCE
button  header line 17  pull-up  both   low      5ms
limit   header line 22  pull-up  both   low      1ms

OUTPUT  AT                          DRIVE OR LIMITS               1 MEANS  SAFE
led     header line 18              push-pull                     high     value 0
relay   header line 27              push-pull                     low      value 0
servo   header channel 0 (line 12)  duty 500us to 2500us of 20ms  -        off
"""
    )


def test_a_board_file_with_a_slip(cli, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text('[chip.header]\nlabel = "pinctrl-rp1"\n\n[input.button]\nline = 17\nbais = "pull-up"\n')
    result = cli("boards", file)
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"{file}:6 [input.button]: `bais` isn't a key of this table\n    fix    did you mean `bias`?\n"
    )


def test_a_broken_board_doesnt_hide_the_others(cli, tmp_path, monkeypatch):
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/mine.toml").write_text("model = 5\n")
    monkeypatch.chdir(tmp_path)
    result = cli("boards")
    assert result.code == 1
    assert re.search(r"^rpi5-bench +Raspberry Pi 5 ", result.out, flags=re.MULTILINE)
    assert re.search(r"^mine +- +can't be read, see below", result.out, flags=re.MULTILINE)
    assert "boards/mine.toml:1: `model` is 5; it takes a string" in result.err


def test_a_board_that_isnt_there(cli, tmp_path):
    result = cli("boards", "rpi5-bensh")
    assert (result.code, result.err.splitlines()[-1]) == (1, "    fix    did you mean `rpi5-bench`?")
    assert "there is no such board file" in cli("boards", tmp_path / "none.toml").err
