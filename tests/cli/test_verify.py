"""`axiom-hw verify`: verdicts, refusals told whole, and files that hold no program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEARTBEAT = ROOT / "demos/heartbeat/heartbeat.bpf.o"
OBJECTS = ROOT / "tests/bpf/objects"

FINE = '.section "timer/100ms"\ntick:\n  r0 = *(u32 *)(r1 + 8)\n  exit\n'
UNCHECKED = """\
.map counts type=array key=4 value=8 entries=1
.section "gpio/button"
count:
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[counts] ll
  call map_lookup_elem
  r0 = *(u64 *)(r0 + 0)
  exit
"""


def test_a_program_that_is_safe(cli, tmp_path):
    file = tmp_path / "tick.bpf.s"
    file.write_text(FINE)
    result = cli("verify", file)
    assert result.code == 0
    heading, row = result.out.splitlines()
    assert heading.split() == ["PROGRAM", "SECTION", "VERDICT", "WORST", "CASE", "STACK", "TIME"]
    assert re.fullmatch(r"tick     timer/100ms  accepted  2 insns     0 bytes  \d+\.\d ms", row)


def test_the_heartbeat(cli):
    result = cli("verify", HEARTBEAT)
    assert (result.code, result.err) == (0, "")
    assert "heartbeat  timer/100ms  accepted" in result.out


def test_a_refusal_is_told_whole(cli, tmp_path):
    file = tmp_path / "count.bpf.s"
    file.write_text(UNCHECKED)
    result = cli("verify", file)
    assert result.code == 1
    table, refusal = result.out.split("\n\n")
    assert "count    gpio/button  rejected V103  -           -" in table
    assert refusal.startswith(f"{file}:9: [V103] r0 may be NULL here\n")
    for row in ("at     6: r0 = *(u64 *)(r0 + 0)", "knows  r0 = ", "fix    "):
        assert f"\n    {row}" in refusal


def test_one_refused_among_several_programs(cli, tmp_path):
    file = tmp_path / "both.bpf.s"
    file.write_text(FINE + UNCHECKED)
    result = cli("verify", file)
    assert result.code == 1
    assert "accepted" in result.out
    assert "rejected V103" in result.out


def test_every_file_gets_its_turn(cli, tmp_path):
    good, bad = tmp_path / "good.bpf.s", tmp_path / "bad.bpf.s"
    good.write_text(FINE)
    bad.write_text(UNCHECKED)
    result = cli("verify", bad, tmp_path / "none.bpf.s", good)
    assert result.code == 1
    assert [word in result.out for word in ("rejected", "accepted")] == [True, True]
    assert result.err.startswith(f"{tmp_path}/none.bpf.s: there is no such file\n")


def test_assembly_without_a_section_has_no_context(cli, tmp_path):
    file = tmp_path / "plain.s"
    file.write_text("r0 = *(u32 *)(r1 + 0)\nexit\n")
    assert "[V201]" in cli("verify", file).out
    file.write_text("r0 = 1\nexit\n")
    assert cli("verify", file).code == 0


def test_standard_input(cli):
    assert "tick     timer/100ms  accepted" in cli("verify", "-", stdin=FINE.encode()).out
    assert cli("verify", "-", stdin=HEARTBEAT.read_bytes()).code == 0


def damaged(tmp_path: Path, data: bytes) -> Path:
    file = tmp_path / "x.bpf.o"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty\n    fix    compile it with `clang -O2 -g -target bpf -c`\n"),
        (HEARTBEAT.read_bytes()[:300], "has 300 bytes, but its 14 section headers end at byte 3"),
        (b"hello, world" * 9, "isn't an ELF object: it starts with 68 65 6c 6c, not 7f 45 4c 46\n"),
        ((OBJECTS / "x86-64.o").read_bytes(), "is built for x86-64, not for BPF\n"),
        ((OBJECTS / "arm64.o").read_bytes(), "is built for arm64, not for BPF\n"),
    ],
)  # fmt: skip
def test_files_that_are_no_object_for_bpf(cli, tmp_path, data, message):
    file = damaged(tmp_path, data)
    result = cli("verify", file)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"{file}: {message}")
    assert "\n    fix    " in result.err


def test_a_map_in_the_wrong_section(cli, tmp_path):
    data = HEARTBEAT.read_bytes()
    file = damaged(tmp_path, data.replace(b".maps\0", b".mups\0"))
    result = cli("verify", file)
    assert result.code == 1
    assert "refers to `ticks` in section .mups, which is neither map nor data" in result.err
    assert 'fix    put maps in SEC(".maps")' in result.err


def test_a_section_that_is_no_hook(cli, tmp_path):
    file = tmp_path / "x.bpf.s"
    file.write_text('.section "gpoi/button"\nf:\n  r0 = 0\n  exit\n')
    result = cli("verify", file)
    assert result.code == 1
    assert result.err.startswith(f"{file}, section 'gpoi/button': names no hook\n    fix    did you mean `gpio`? ")


def test_a_slip_in_assembly_names_its_line(cli, tmp_path):
    file = tmp_path / "x.bpf.s"
    file.write_text("r0 = 0\nexti\n")
    result = cli("verify", file)
    assert result.code == 1
    assert result.err.startswith(f"{file}:2: ")
    assert "exit" in result.err


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("blink.bpf.c", "clang -O2 -g -target bpf -c {dir}/blink.bpf.c -o {dir}/blink.bpf.o"),
        ("bench.toml", "axiom-hw boards {dir}/bench.toml"),
    ],
)
def test_files_of_another_kind_say_what_to_do_with_them(cli, tmp_path, name, fix):
    result = cli("verify", tmp_path / name)
    assert result.code == 1
    assert fix.format(dir=tmp_path) in result.err


def test_files_that_cant_be_read(cli, tmp_path):
    (tmp_path / "heartbeat.bpf.o").write_bytes(b"")
    near = cli("verify", tmp_path / "heartbaet.bpf.o")
    assert (
        near.err
        == f"{tmp_path}/heartbaet.bpf.o: there is no such file\n    fix    did you mean {tmp_path}/heartbeat.bpf.o?\n"
    )
    assert "there is no directory" in cli("verify", tmp_path / "no/such/x.o").err
    assert f"{tmp_path}: is a directory\n" in cli("verify", tmp_path).err
    binary = tmp_path / "x.bpf.s"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "is neither an ELF object nor text: byte 0 is no UTF-8" in cli("verify", binary).err


def test_an_empty_file_holds_no_program(cli, tmp_path):
    file = tmp_path / "x.bpf.s"
    file.write_text("; nothing yet\n")
    result = cli("verify", file)
    assert (result.code, result.err.splitlines()[0]) == (1, f"{file}: holds no program")


def test_a_wrong_command_line_is_exit_2(cli, tmp_path):
    assert cli("verify").code == 2
    both = cli("verify", "x.o", "--batch", "-")
    assert both.code == 2
    assert "both FILE and --batch" in both.err


def test_programs_of_other_hooks_are_verified_on_a_context_of_a_given_size(cli, tmp_path):
    file = tmp_path / "other.bpf.s"
    file.write_text('.section "xdp"\nfilter:\n    r0 = *(u32 *)(r1 + 4)\n    exit\n')
    refused = cli("verify", file)
    assert refused.code == 1
    assert "names no hook" in refused.err
    assert cli("verify", "--ctx", "8", file).code == 0
    short = cli("verify", "--ctx", "4", file)
    assert short.code == 1
    assert "[V201] reads 4 bytes at offset 4 of the context, which has 4 bytes" in short.out
