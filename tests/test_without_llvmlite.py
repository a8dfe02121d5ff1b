"""A machine without llvmlite: programs from objects and assembly run on the interpreter; what can't be had is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHOUT = "import sys; sys.modules['llvmlite'] = None; "  # an import of it raises
COMMAND = f"{WITHOUT}from axiom_hw.cli import main; main(sys.argv[1:])"
OBJECT = "demos/heartbeat/heartbeat.bpf.o"
NOTICE = "programs run on the interpreter: llvmlite isn't installed\n"
IN_PYTHON = "llvmlite: isn't installed; programs in Python are compiled with it\n    fix    pip install llvmlite\n"


def axiom_hw(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    command = [sys.executable, "-c", COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, input=stdin)
    return done.returncode, done.stdout, done.stderr


def test_an_object_runs_and_it_is_said_once_how() -> None:
    for engine in ("auto", "interp"):
        code, out, err = axiom_hw("run", OBJECT, "--mock", "--for", "200ms", "--engine", engine)
        assert (code, out) == (
            0,
            "    0.100000  beats: 00e1f505 00000000 01000000 00000000\n"
            "    0.200000  beats: 00c2eb0b 00000000 02000000 00000000\n",
        )
        assert err.count(NOTICE) == (engine == "auto")
        assert "Traceback" not in err


def test_an_application_with_a_program_in_c_runs() -> None:
    code, out, err = axiom_hw("run", "demos/heartbeat/heartbeat.py", "--mock")
    assert (code, out.count("map counter agrees\n"), err) == (0, 10, NOTICE)


def test_an_application_in_assembly_drives_an_output(tmp_path: Path) -> None:
    (tmp_path / "follow.py").write_text(
        "import axiom_hw as hw\n"
        'app = hw.App("follow", board="rpi5-bench")\n'
        f"app.load({str(ROOT / 'demos/button.bpf.s')!r})\n"
        "with app.running(hw.Options(mock=True)):\n"
        '    app.bench.press("button")\n'
        "    app.bench.settle()\n"
        '    print(app.bench.value("led"))\n'
    )
    assert axiom_hw("run", str(tmp_path / "follow.py"))[:2] == (0, "1\n")


def test_a_program_in_python_is_refused_in_one_sentence_with_what_to_install() -> None:
    for verb in (("run", "--mock"), ("verify",), ("disasm",)):
        assert axiom_hw(verb[0], "demos/button.py", *verb[1:]) == (1, "", IN_PYTHON)


def test_native_code_is_refused_where_it_was_asked_for() -> None:
    code, out, err = axiom_hw("run", OBJECT, "--mock", "--engine", "llvm")
    assert (code, out) == (1, "")
    assert err.endswith(
        "--engine llvm: can't be had: llvmlite isn't installed\n    fix    use --engine auto, or interp\n"
    )
    code, out, err = axiom_hw("exec", "--engine", "llvm", stdin="b70000002a0000009500000000000000")
    assert (code, out, err) == (
        1,
        "",
        "--engine llvm: can't be had: llvmlite isn't installed\n    fix    use --engine interp, the default\n",
    )


def test_verbs_that_need_no_compiler_work() -> None:
    assert axiom_hw("exec", stdin="b70000002a0000009500000000000000") == (0, "2a\n", "")
    assert " accepted " in axiom_hw("verify", OBJECT)[1]
    assert "call gpio_set\n" in axiom_hw("disasm", "demos/button.bpf.s")[1]
    assert axiom_hw("asm", "demos/button.bpf.s")[0] == 0
    assert "programs run on the interpreter: llvmlite isn't installed\n" in axiom_hw("doctor")[1]
