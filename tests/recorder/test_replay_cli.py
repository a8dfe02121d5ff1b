"""The verbs replay, export and import, on a recording of the button demo."""

from __future__ import annotations

import csv
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from axiom_hw.board import load_board
from axiom_hw.cli import main
from axiom_hw.recorder.reading import read_recording
from axiom_hw.recorder.vcd_import import Capture, import_capture, read_vcd
from tests.recorder.sessions import press, written

ROOT = Path(__file__).parents[2]
DEMO = str(ROOT / "demos/button.py")
pytestmark = pytest.mark.llvm  # programs in Python are compiled
EDGES_MS = [305, 425, 827, 917, 1165, 1765]


def run(*args: str, code: int = 0) -> str:
    """What a command says, first on stderr. An application gets a process of its own."""
    if args[0] == "run":
        command = [sys.executable, "-m", "axiom_hw", *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        told, found = done.stderr + done.stdout, done.returncode
    else:
        with redirect_stderr(StringIO()) as err, redirect_stdout(StringIO()) as out, pytest.raises(SystemExit) as end:
            main(args)
        told, found = err.getvalue() + out.getvalue(), end.value.code
    assert "Traceback" not in told
    assert found == code, told
    return told


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("button") / "a.axr")
    told = run("run", DEMO, "--mock", "--for", "2s", "--engine", "interp", "--record", path)
    assert f"recorded 7 events to {path}" in told
    return path


@pytest.fixture
def other(tmp_path: Path) -> str:
    """The demo, with a mistake in it."""
    text = Path(DEMO).read_text().replace("presses[0] += 1", "presses[0] += 2")
    path = tmp_path / "other.py"
    path.write_text(text.replace('hw.gpio_set("led", ctx.value)', "pass"))
    return str(path)


def test_a_replay_is_identical_and_says_so(recording: str) -> None:
    told = run("replay", recording, DEMO, "--engine", "interp")
    assert "6 events in 2 s\n" in told
    assert "follow on gpio/button: 6 runs, no fault\n" in told
    assert "ring edges: 6 records\n" in told
    assert told.endswith("identical to the recorded run: 1 map, 6 output writes, 0 events of programs\n")


def test_another_program_is_noted_and_what_it_makes_otherwise(recording: str, other: str) -> None:
    told = run("replay", recording, other, "--engine", "interp")
    assert "note: follow isn't the program that was recorded, or was compiled otherwise\n" in told
    assert "differs: output number 1: nothing here, led = 1 at 305000000 ns when it was recorded\n" in told
    assert "differs: map presses ends with other contents than when it was recorded\n" in told


def test_diff_shows_maps_and_outputs_and_exits_with_1(recording: str, other: str) -> None:
    told = run("replay", recording, DEMO, "--diff", other, "--engine", "interp", code=1)
    assert f"--- {DEMO}\n+++ {other}\n" in told
    assert "map presses[0]\n  - 3\n  + 6\n" in told
    assert "output led at 0.305000000 s\n  - 1\n  + nothing\n" in told
    assert told.endswith("7 differences\n")
    assert run("replay", recording, DEMO, "--diff", DEMO, "--engine", "interp").endswith("no difference\n")


def test_diff_against_the_recording_itself(recording: str, other: str) -> None:
    told = run("replay", recording, "--diff", other, "--engine", "interp", code=1)
    assert f"--- recorded\n+++ {other}\n" in told
    assert "output led at 0.305000000 s\n  - 1\n  + nothing\n" in told
    assert "map presses\n  - contents " in told


def test_info_tells_what_a_recording_holds(recording: str) -> None:
    told = run("replay", recording, "--info")
    assert told == run("replay", recording)
    for line in ("clock     virtual, from 0 ns", "events    7, 0 of them raised by programs", "closed    in order"):
        assert line in told
    assert "gpio/0/line17/falling  button  3       0\n" in told


def test_an_application_runs_on_a_recording(recording: str) -> None:
    live = run("run", DEMO, "--mock", "--for", "2s", "--engine", "interp")
    assert run("run", DEMO, "--replay", recording, "--engine", "interp") == live


def test_a_recording_that_was_cut_is_replayed_as_far_as_it_goes(recording: str, tmp_path: Path) -> None:
    cut = tmp_path / "cut.axr"
    cut.write_bytes(Path(recording).read_bytes()[:-1])
    told = run("replay", str(cut), DEMO, "--engine", "interp")
    assert "the file ends within a block; from there on" in told


def test_csv_has_a_row_for_each_entry(recording: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert run("export", recording, str(out)) == f"{out}: 7 events\n"
    rows = list(csv.DictReader(out.read_text().splitlines()))
    edges = [row for row in rows if row["kind"] == "event" and row["name"] == "button"]
    assert [int(row["timestamp_ns"]) // 1_000_000 for row in edges] == EDGES_MS
    assert [row["value"] for row in edges] == list("101010")
    lamp = [row["value"] for row in rows if row["kind"] == "written" and row["name"] == "led"]
    assert lamp == list("101010")


def test_parquet_has_typed_columns(recording: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra axiom-hw[parquet] isn't installed")
    out = tmp_path / "out.parquet"
    run("export", recording, str(out))
    table = parquet.read_table(out)
    assert str(table.schema.field("timestamp_ns").type) == "int64"
    rows = [row for row in table.to_pylist() if row["kind"] == "event" and row["name"] == "button"]
    assert [row["seqno"] for row in rows] == [1, 2, 3, 4, 5, 6]


def test_parquet_without_pyarrow_says_how_to_get_it(recording: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["pyarrow"] = None
sys.argv = ["axiom-hw", "export", {recording!r}, {str(tmp_path / "out.parquet")!r}]
from axiom_hw.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "export to Parquet: needs the package pyarrow, which isn't installed\n"
        "    fix    pip install 'axiom-hw[parquet]'\n"
    )


def test_a_vcd_file_shows_levels_and_comes_back_as_a_recording(recording: str, tmp_path: Path) -> None:
    out, back = tmp_path / "out.vcd", tmp_path / "back.axr"
    run("export", recording, str(out))
    with out.open("rb") as stream:
        capture = read_vcd(stream, "out.vcd")
    assert [level for _, level in capture.levels["gpio.button"]] == [1, 0, 1, 0, 1, 0, 1], "to ground: pressed is low"
    told = run("import", str(out), str(back), "--board", "rpi5-bench", "--map", "button=button")
    assert told == f"{back}: 6 edges in 2 s\n"
    debounce_ms = load_board("rpi5-bench").input("button").debounce_ns // 1_000_000
    found = read_recording(str(back))
    assert [event.time_ns // 1_000_000 for event in found.events] == [ms + debounce_ms for ms in EDGES_MS]
    told = run("replay", str(back), DEMO, "--engine", "interp")
    assert "follow on gpio/button: 6 runs" in told
    assert "note: no program ran when this was recorded: there is nothing to compare with\n" in told


def test_a_captures_bounces_are_swallowed_as_the_kernel_would(tmp_path: Path) -> None:
    board = load_board("rpi5-bench")
    ms = 1_000_000
    rows = ((0, 1), (10 * ms, 0), (10 * ms + 9, 1), (11 * ms, 0), (40 * ms, 1))
    count = import_capture(Capture({"D0": rows}, 90 * ms), board, {"D0": "button"}, "a.vcd", str(tmp_path / "a.axr"))
    found = read_recording(str(tmp_path / "a.axr"))
    wait = board.input("button").debounce_ns
    assert [event.time_ns for event in found.events] == [11 * ms + wait, 40 * ms + wait]
    assert count == 2


@pytest.mark.parametrize(("args", "message"), [
    (["export", "{axr}", "out.doc"], "out.doc: doesn't say by its end what format to write"),
    (["import", "{vcd}", "x.axr", "--board", "rpi5-bench", "--map", "D9=button"],
     "D9 in {vcd}: is no wire of one bit\n    fix    the wires are top.D0, top.D1"),
    (["import", "{vcd}", "x.axr", "--board", "rpi5-bench", "--map", "D0"], "--map D0: doesn't say which wire"),
    (["import", "{vcd}", "x.axr", "--board", "rpi5-bench", "--map", "D0=botton"], "did you mean `button`?"),
    (["import", "{vcd}", "x.axr", "--board", "rpi5-bench"],
     "{vcd}: has no wire that is named like an input of rpi5-bench; its wires are top.D0, top.D1"),
    (["import", "{axr}", "x.axr", "--board", "rpi5-bench"], "{axr}: is no VCD file that can be read"),
    (["replay", "nothing.axr"], "nothing.axr: there is no such file"),
    (["replay", "{vcd}"], "{vcd}: is no recording: it doesn't begin as one"),
    (["import", "nothing.vcd", "x.axr", "--board", "rpi5-bench"], "nothing.vcd: can't be read: No such file"),
])  # fmt: skip
def test_slips_are_told(args: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vcd = "$timescale 1us $end $scope module top $end $var wire 1 ! D0 $end $var wire 1 % D1 $end $upscope $end "
    (tmp_path / "c.vcd").write_text(vcd + "$enddefinitions $end\n#0\n0!\n1%\n#5\n1!\n")
    written(tmp_path / "a.axr", [press(1, 1, 1)])
    places = {"axr": "a.axr", "vcd": "c.vcd"}
    told = run(*(arg.format(**places) for arg in args), code=1)
    assert message.format(**places) in told


def test_a_run_on_a_recording_of_another_board_says_so(recording: str) -> None:
    told = run("run", str(ROOT / "demos/climate.py"), "--replay", recording, "--engine", "interp")
    assert told == "note: the board rpi5-sensors isn't the one of the recording (rpi5-bench), or has changed\n"
