"""`axiom-hw run`: scripts and program files, their options, and what a mistake is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from axiom_hw import console
from axiom_hw.board.machine import Found, KnownBy
from axiom_hw.board.models import model_named
from axiom_hw.cli import main

ROOT = Path(__file__).parents[2]
HEARTBEAT = "demos/heartbeat/heartbeat.bpf.o"
TWO_RINGS = "".join(
    f"""
.map {ring} type=ringbuf entries=4096
.section "timer/{period}"
{ring}_tick:
    r2 = r1
    r2 += 8
    r1 = map[{ring}] ll
    r3 = 4
    r4 = 0
    call ringbuf_output
    r0 = 0
    exit
"""
    for ring, period in (("fast", "100ms"), ("slow", "250ms"))
)


@pytest.fixture(autouse=True)
def as_if_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["run", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


@pytest.mark.llvm
def test_the_records_of_a_program_file_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, HEARTBEAT, "--mock", "--for", "200ms", "--trace") == (
        0,
        "    0.100000  beats: 00e1f505 00000000 01000000 00000000\n"
        "    0.200000  beats: 00c2eb0b 00000000 02000000 00000000\n",
        "heartbeat on timer/100ms: at most 32 instructions a run\n"
        "    0.100000  heartbeat: tick 1\n    0.200000  heartbeat: tick 2\n",
    )


def test_the_records_of_two_rings_are_printed_as_they_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "two.bpf.s", TWO_RINGS)
    code, out, _ = run(capsys, path, "--mock", "--for", "300ms")
    assert (code, out.splitlines()) == (
        0,
        [
            "    0.100000  fast: 01000000",
            "    0.200000  fast: 02000000",
            "    0.250000  slow: 01000000",
            "    0.300000  fast: 03000000",
        ],
    )


def test_a_program_that_needs_a_board(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "demos/button.bpf.s", "--mock")
    assert (code, err) == (
        1,
        "follow on gpio/button: at most 16 instructions a run\n"
        "10s of virtual time; --for TIME sets another end\n"
        "follow at pc 9: calls gpio_set, which needs a board, but none was chosen\n"
        '    fix    choose one: --board rpi5-bench, or App(..., board="rpi5-bench")\n',
    )


@pytest.mark.llvm
def test_without_a_gpiochip_the_chip_is_named_and_mock_offered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from axiom_hw.backends import gpiod_gpio

    empty = gpiod_gpio.GpiodBackend(dev=tmp_path)  # a machine without GPIO, wherever this runs
    monkeypatch.setattr(gpiod_gpio, "GpiodBackend", lambda: empty)
    five = Found("Raspberry Pi 5 Model B Rev 1.0", model_named("Raspberry Pi 5"), KnownBy.COMPATIBLE)
    monkeypatch.setattr(console, "detect", lambda: five)
    for program in (["demos/button.py"], ["demos/button.bpf.s", "--board", "rpi5-bench"]):
        code, out, err = run(capsys, *program)
        assert (code, out) == (1, "")
        assert err.endswith(
            "chip pinctrl-rp1: isn't there; there is no GPIO chip on this machine\n"
            "    fix    run with --mock for a bench in memory, or correct `label` in the board file; "
            "`axiom-hw doctor` looks closer\n"
        )


def test_a_board_file_that_says_something_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = write(tmp_path, "mine.toml", '[chip.header]\nlabel = "pinctrl-rp1"\n[input.button]\nlien = 17\n')
    assert run(capsys, "demos/button.py", "--mock", "--board", board) == (
        1,
        "",
        f"{board}:4 [input.button]: `lien` isn't a key of this table\n    fix    did you mean `line`?\n",
    )


@pytest.mark.llvm
def test_a_board_without_what_the_program_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = write(
        tmp_path,
        "mine.toml",
        '[chip.header]\nlabel = "pinctrl-rp1"\n[input.door]\nline = 17\n[output.led]\nline = 18\nsafe = "low"\n',
    )
    assert run(capsys, "demos/button.py", "--mock", "--board", board) == (
        1,
        "",
        f"demos/button.py:16: follow, section 'gpio/button' on {board}: has no input `button`; it has door\n"
        "    fix    add [input.button] to the board file, or use one of these\n",
    )


def test_a_script_gets_the_options_and_those_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "mine.py", "import sys\nimport neighbour\nprint(sys.argv[1:], __name__, neighbour.here)\n")
    write(tmp_path, "neighbour.py", "here = True\n")
    code, out, err = run(
        capsys, path, "--mock", "--for", "1s", "--board", "b", "--trace", "--real-time", "--speed", "3"
    )
    assert (code, err) == (0, "")
    assert out == "['--mock', '--real-time', '--trace', '--board', 'b', '--for', '1s', '--speed', '3'] __main__ True\n"


def test_a_script_that_ends_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, write(tmp_path, "mine.py", "raise SystemExit(3)\n"), "--mock") == (3, "", "")


def test_a_script_that_is_no_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "mine.py", "app = 1\nfor x in\n")
    assert run(capsys, path) == (1, "", f"{path}:2: is no Python: invalid syntax\n    fix    for x in\n")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("demos/buton.py", "demos/buton.py: there is no such file\n    fix    did you mean demos/button.py?\n"),
        ("nowhere/x.py", "nowhere/x.py: there is no such file\n    fix    check the path\n"),
        (
            "demos/heartbeat",
            "demos/heartbeat: is a directory\n    fix    name a file in it: heartbeat.bpf.o, heartbeat.py\n",
        ),
    ],
)
def test_a_file_that_isnt_there(file: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, file) == (1, "", message)


def test_an_option_that_a_program_file_doesnt_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, HEARTBEAT, "--speed", "3") == (
        1,
        "",
        "axiom-hw run: has no option --speed\n    fix    `axiom-hw run --help` lists them\n",
    )


def test_a_duration_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, HEARTBEAT, "--for", "soon")
    assert code == 2
    assert "argument --for: 'soon' is no duration" in err


def test_a_program_that_isnt_safe_or_isnt_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "bad.bpf.s", '.section "timer/1s"\nbad:\n    r0 = *(u64 *)(r10 - 8)\n    exit\n')
    code, _, err = run(capsys, path, "--mock")
    assert (code, err.startswith(f"{path}:3: [V204] ")) == (1, True)
    cut = tmp_path / "cut.bpf.o"
    cut.write_bytes((ROOT / HEARTBEAT).read_bytes()[:700])
    code, _, err = run(capsys, cut, "--mock")
    assert (code, err.startswith(str(cut))) == (1, True)
    code, _, err = run(capsys, "tests/bpf/objects/x86-64.o", "--mock")
    assert (code, "x86" in err) == (1, True)


@pytest.mark.llvm
def test_an_application_finds_the_board_beside_it_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    (project / "boards").mkdir(parents=True)
    text = (ROOT / "boards/rpi5-bench.toml").read_text()
    (project / "boards/desk.toml").write_text(text)
    blink = (ROOT / "demos/blink.py").read_text().replace("rpi5-bench", "desk")
    (project / "blink.py").write_text(blink)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["run", "project/blink.py", "--mock", "--for", "500ms"])
    assert capsys.readouterr().out.splitlines()[0] == "    0.500 s  led    on"
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/desk.toml").write_text("broken")  # the one of the working directory counts
    with pytest.raises(SystemExit):
        main(["verify", "project/blink.py"])
    assert "boards/desk.toml:1: isn't TOML" in capsys.readouterr().err
