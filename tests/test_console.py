"""A run as a process: how signals, exceptions and mistakes end it, what it says, and that its outputs are safe."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The LED follows the button; every change of an output's level is printed. `{body}` is what the script does meanwhile.
SCRIPT = """\
import os, signal, sys, time
import axiom_hw as hw

app = hw.App("test", board="rpi5-bench")
app.load({program!r})
edges = app.ringbuf("edges", hw.GpioEvent)

@app.scenario
def fingers(bench):
    def changed(time_ns, line, level):
        if line == 18:
            print("led", level, flush=True)
    bench.gpio.open("pinctrl-rp1").watch(changed)
    bench.after("10ms").press("button")

def body():
{body}

if __name__ == "__main__":
    app.main(body)
    print("over", flush=True)
"""
FOLLOW = "for edge in edges:\n    print('edge', edge.value, flush=True)"
REAL = ("--mock", "--real-time")


def script(directory: Path, body: str = FOLLOW) -> Path:
    path = directory / "script.py"
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    path.write_text(SCRIPT.format(program=str(ROOT / "demos/button.bpf.s"), body=indented.rstrip("\n")))
    return path


def ran(*arguments: object, stdin: None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str], *lines: str) -> None:
    assert process.stdout is not None
    for line in lines:
        assert process.stdout.readline() == f"{line}\n", process.stderr.read() if process.stderr else ""


@pytest.mark.llvm
@pytest.mark.parametrize(
    ("number", "code", "rest"),
    [(signal.SIGINT, 0, "led 0\nover\n"), (signal.SIGTERM, 143, "led 0\n"), (signal.SIGHUP, 129, "led 0\n")],
)
def test_a_signal_ends_the_run_without_a_traceback_and_with_safe_outputs(
    tmp_path: Path, number: signal.Signals, code: int, rest: str
) -> None:
    with started(script(tmp_path), *REAL) as process:
        read(process, "led 1", "edge 1")
        process.send_signal(number)
        assert process.communicate(timeout=60) == (rest, "")
        assert process.returncode == code


@pytest.mark.llvm
def test_a_signal_in_the_middle_of_virtual_time(tmp_path: Path) -> None:
    body = "app.runtime.scheduler.every(1000, lambda *_: None)\nprint('busy', flush=True)\napp.wait()"
    for number, code in ((signal.SIGINT, 0), (signal.SIGTERM, 143)):
        with started(script(tmp_path, body), "--mock") as process:
            read(process, "busy", "led 1")
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
            assert (out.splitlines()[0], err, process.returncode) == ("led 0", "", code)


@pytest.mark.llvm
def test_pressing_ctrl_c_twice_doesnt_keep_outputs_from_their_safe_states(tmp_path: Path) -> None:
    body = """\
close = app.runtime.close
def slow():
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    close()
app.runtime.close = slow
edges.poll()
raise KeyboardInterrupt
"""
    result = ran(script(tmp_path, body), *REAL)
    assert (result.stdout, result.stderr, result.returncode) == ("led 1\nled 0\nover\n", "", 0)


def test_a_handler_of_the_scripts_own_stays(tmp_path: Path) -> None:
    body = """\
edges.poll()
print(signal.getsignal(signal.SIGTERM), flush=True)
"""
    path = script(tmp_path, body)
    path.write_text(
        path.read_text().replace("app.main(body)", "signal.signal(signal.SIGTERM, int)\n    app.main(body)")
    )
    assert ran(path, *REAL).stdout == "led 1\n<class 'int'>\nled 0\nover\n"


@pytest.mark.llvm
def test_an_exception_in_the_body_is_the_scripts_own_and_outputs_are_safe(tmp_path: Path) -> None:
    path = script(tmp_path, "edges.poll()\nreturn {}['nothing']")
    for command in ((path,), ("-m", "axiom_hw", "run", path)):
        result = ran(*command, *REAL)
        assert (result.returncode, result.stdout) == (1, "led 1\nled 0\n")
        lines = result.stderr.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[-1] == "KeyError: 'nothing'"
        assert [line.split(", ")[1:] for line in lines if line.startswith("  File ")] == [
            ["line 21", "in <module>"],
            ["line 18", "in body"],
        ]
        assert "axiom_hw/" not in result.stderr


def test_an_exception_inside_of_a_library_call_keeps_the_librarys_frames(tmp_path: Path) -> None:
    result = ran(script(tmp_path, "import json\njson.loads('{')"), "--mock")
    assert "json/decoder.py" in result.stderr
    assert "axiom_hw/" not in result.stderr


def test_a_mistake_in_the_script_is_told_by_its_line(tmp_path: Path) -> None:
    path = script(tmp_path)
    path.write_text(path.read_text().replace("button.bpf.s", "buton.bpf.s"))
    expected = (
        f"{path}:5: app.load('{ROOT}/demos/buton.bpf.s')\n{ROOT}/demos/buton.bpf.s: there is no such file\n"
        "    fix    check the path; programs end in .bpf.o or .bpf.s\n"
    )
    for command in ((path,), ("-m", "axiom_hw", "run", path)):
        result = ran(*command, "--mock")
        assert (result.returncode, result.stdout, result.stderr) == (1, "", expected)


@pytest.mark.llvm
def test_a_reader_that_goes_away_is_no_error_worth_a_word(tmp_path: Path) -> None:
    body = "while True:\n    print('more', flush=True)"
    with started(script(tmp_path, body), "--mock") as process:
        read(process, "more")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == ""


def test_a_broken_pipe_of_the_scripts_own_is_shown(tmp_path: Path) -> None:
    body = "a, b = os.pipe()\nos.close(a)\nos.write(b, b'x')"
    result = ran(script(tmp_path, body), "--mock")
    assert result.stderr.splitlines()[-1] == "BrokenPipeError: [Errno 32] Broken pipe"


@pytest.mark.llvm
def test_two_processes_at_once_each_have_a_bench(tmp_path: Path) -> None:
    path = script(tmp_path)
    with started(path, *REAL) as one, started(path, *REAL) as two:
        read(one, "led 1", "edge 1")
        read(two, "led 1", "edge 1")
        for process in (one, two):
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("led 0\nover\n", "")


@pytest.mark.llvm
def test_kill_9_leaves_nothing_that_keeps_the_next_start_from_working(tmp_path: Path) -> None:
    path = script(tmp_path)
    with started(path, *REAL) as process:
        read(process, "led 1", "edge 1")
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    result = ran(path, "--mock")
    assert (result.stdout, result.stderr, result.returncode) == ("led 1\nedge 1\nled 0\nover\n", "", 0)


@pytest.mark.llvm
def test_off_the_main_thread_an_app_runs_without_hearing_signals(tmp_path: Path) -> None:
    path = script(tmp_path)
    text = path.read_text().replace(
        "app.main(body)",
        "import threading\n    t = threading.Thread(target=app.main, args=(body,))\n    t.start(); t.join()",
    )
    path.write_text(text)
    result = ran(path, "--mock")
    assert (result.stdout, result.stderr, result.returncode) == ("led 1\nedge 1\nled 0\nover\n", "", 0)
