"""`axiom-hw asm` and `disasm`: there and back again."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiom_hw.bpf.asm import assemble
from axiom_hw.bpf.elf import load_object
from axiom_hw.bpf.spec import CtxSpec

ROOT = Path(__file__).parents[2]
HEARTBEAT = ROOT / "demos/heartbeat/heartbeat.bpf.o"
HEX = "b700000007000000 9500000000000000"
TWO = '.section "timer"\none:\n  r0 = 1\n  exit\n.section "gpio/button"\ntwo:\n  r0 = 2\n  exit\n'


@pytest.fixture
def seven(tmp_path):
    file = tmp_path / "seven.bpf.s"
    file.write_text("r0 = 7\nexit\n")
    return file


def test_hex_on_standard_output(cli, seven):
    assert cli("asm", seven).out == HEX.replace(" ", "") + "\n"


def test_hex_is_what_exec_reads(cli, seven):
    assert cli("exec", stdin=cli("asm", seven).out.encode()).out == "7\n"


def test_the_suffix_of_the_output_decides(cli, seven, tmp_path):
    assert cli("asm", seven, "-o", tmp_path / "x.bin").code == 0
    assert (tmp_path / "x.bin").read_bytes() == bytes.fromhex(HEX)
    cli("asm", seven, "-o", tmp_path / "x.hex")
    assert (tmp_path / "x.hex").read_text() == HEX.replace(" ", "") + "\n"
    cli("asm", seven, "-o", tmp_path / "x.lst")
    assert (tmp_path / "x.lst").read_text().splitlines()[1:] == ["       0:\tr0 = 7", "       1:\texit"]
    assert cli("asm", seven, "--form", "listing").out == (tmp_path / "x.lst").read_text()


def test_several_programs_need_a_choice(cli, tmp_path):
    file = tmp_path / "two.bpf.s"
    file.write_text(TWO)
    result = cli("asm", file)
    assert result.code == 1
    assert result.err == (
        f"{file}: holds 2 programs (one, two), and hex is one program's\n"
        "    fix    choose one, as in --program one, or use --form listing\n"
    )
    assert cli("asm", file, "--program", "two").out == "b7000000020000009500000000000000\n"
    assert "has no program 'three'; its programs: one, two" in cli("asm", file, "--program", "three").err


def test_an_output_that_cant_be_written(cli, seven, tmp_path):
    result = cli("asm", seven, "-o", tmp_path / "no/x.hex")
    assert result.code == 1
    assert result.err.startswith(f"{tmp_path}/no/x.hex: can't be written: No such file or directory\n")


def test_the_listing_of_an_object_assembles_to_it(cli):
    wanted = load_object(HEARTBEAT.read_bytes(), "x", lambda section: CtxSpec(0)).programs[0]
    for options in ((), ("--lines",), ("--bytes",), ("--lines", "--bytes")):
        listing = cli("disasm", HEARTBEAT, *options).out
        maps = "".join(f".map {m.name} type=array key=4 value=8 entries=1\n" for m in wanted.maps)
        program = assemble(maps + listing).programs[0]
        assert (program.name, program.section) == ("heartbeat", "timer/100ms")
        assert program.insns == wanted.insns


def test_source_lines(cli):
    rows = cli("disasm", "--lines", HEARTBEAT).out.splitlines()
    at = next(n for n, row in enumerate(rows) if row.endswith("if (!count)"))
    assert rows[at] == "; demos/heartbeat/heartbeat.bpf.c:33: if (!count)"
    assert rows[at + 1].startswith("       9:\tif r0 == 0 goto ")


@pytest.mark.parametrize("data", [HEX.encode(), bytes.fromhex(HEX)], ids=["hex", "raw"])
def test_instructions_on_standard_input(cli, data):
    assert cli("disasm", "-", stdin=data).out == "       0:\tr0 = 7\n       1:\texit\n"


def test_bytes_that_are_no_program(cli, tmp_path):
    file = tmp_path / "x.hex"
    file.write_text(HEX[:-2])
    result = cli("disasm", file)
    assert result.code == 1
    assert f"{file}, byte 8: the program has 15 bytes, not a multiple of 8" in result.err
    file.write_text("b7 0x")
    assert f"{file}: 'x' is no hex digit" in cli("disasm", file).err
    file.write_bytes(b"\xff\xfe")
    assert cli("disasm", file).err.startswith(f"{file}: ")


def test_a_slot_that_is_no_instruction_is_shown_as_data(cli):
    assert cli("disasm", "-", stdin=b"ff" * 8).out == "       0:\t.8byte 0xffffffffffffffff\n"
