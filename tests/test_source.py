"""Program files to specs: which reader a file gets, and what is said of those that are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from axiom_hw import source
from axiom_hw.bpf.spec import CtxSpec
from axiom_hw.errors import HookError, ObjectError
from axiom_hw.source import parse_object, read_object

DEMOS = Path(__file__).parents[1] / "demos"
BLINK = '.section "{section}"\nblink:\n    r0 = 0\n    exit\n'


def test_an_object_and_an_assembly_file_give_the_same_kind_of_spec() -> None:
    built, written = read_object(DEMOS / "heartbeat/heartbeat.bpf.o"), read_object(DEMOS / "button.bpf.s")
    assert [(p.name, p.section, p.ctx.size) for p in built.programs] == [("heartbeat", "timer/100ms", 16)]
    assert [(p.name, p.section, p.ctx.size) for p in written.programs] == [("follow", "gpio/button", 32)]


def test_the_content_decides_not_the_name() -> None:
    elf = (DEMOS / "heartbeat/heartbeat.bpf.o").read_bytes()
    assert parse_object(elf, "heartbeat").programs[0].name == "heartbeat"


def test_the_caller_may_say_what_a_section_sees() -> None:
    (program,) = parse_object(BLINK.format(section="xdp").encode(), "x.s", lambda section: CtxSpec(8)).programs
    assert program.ctx == CtxSpec(8)


def refusal(path: Path) -> str:
    with pytest.raises(ObjectError) as refused:
        read_object(path)
    return str(refused.value).replace(str(path.parent), "DIR")


def test_a_file_that_is_missing_or_a_directory_or_no_program(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.bpf.o") == (
        "DIR/x.bpf.o: there is no such file\n    fix    check the path; programs end in .bpf.o or .bpf.s"
    )
    (tmp_path / "d").mkdir()
    assert refusal(tmp_path / "d") == ("DIR/d: is a directory\n    fix    name the file in it, such as heartbeat.bpf.o")
    picture = tmp_path / "x.bpf.s"
    picture.write_bytes(b"r0 = 0\n\x89PNG")
    assert refusal(picture) == (
        "DIR/x.bpf.s: is neither an ELF object nor text: byte 7 is no UTF-8\n"
        "    fix    give a .bpf.o made by `clang -target bpf`, or assembly"
    )


def test_an_object_that_was_cut_short_says_so(tmp_path: Path) -> None:
    whole = (DEMOS / "heartbeat/heartbeat.bpf.o").read_bytes()
    for size in (0, 3, 40, len(whole) // 2):
        cut = tmp_path / "cut.bpf.o"
        cut.write_bytes(whole[:size])
        assert refusal(cut).startswith("DIR/cut.bpf.o")


def test_a_file_that_is_far_too_large_isnt_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_BYTES", 100)
    large = tmp_path / "x.bpf.s"
    large.write_bytes(b"/" * 101)
    assert refusal(large) == "DIR/x.bpf.s: has more than 100 bytes, the limit for a program"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    secret = tmp_path / "x.bpf.s"
    secret.touch(mode=0)
    assert refusal(secret) == "DIR/x.bpf.s: can't be read: Permission denied"


def test_a_section_that_is_no_hook_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "x.bpf.s"
    file.write_text(BLINK.format(section="gpoi/button"))
    with pytest.raises(HookError) as refused:
        read_object(file)
    assert str(refused.value).replace(str(tmp_path), "DIR") == (
        "DIR/x.bpf.s, section 'gpoi/button': names no hook\n"
        "    fix    did you mean `gpio`? the hooks are gpio, pwm, timer, iio, scan, i2c, serial, as in gpio/button, "
        "pwm/servo, timer/100ms"
    )
