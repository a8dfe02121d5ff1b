"""`axiom-hw disasm --source`: source, BPF and native code side by side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.cli.programs import read_programs
from axiom_hw.cli.sides import sides

ROOT = Path(__file__).parents[2]
DEMOS = ROOT / "demos"

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native code here: {why_not()}")


def program(file: str) -> ProgramSpec:
    (found,) = read_programs(str(DEMOS / file)).programs
    return found


@pytest.mark.parametrize("file", ["button.py", "button.bpf.s", "heartbeat/heartbeat.bpf.o"])
def test_every_instruction_stands_once_in_its_order(file: str) -> None:
    spec = program(file)
    numbers = [row[1].partition(":")[0] for row in sides(spec)]
    listed = [int(number) for number in numbers if number.isdecimal()]
    assert listed == sorted(set(listed))
    assert listed[0] == 0
    assert len(listed) >= len(spec.insns) - sum(insn.code == 0x18 for insn in spec.insns)


def test_a_line_of_python_stands_beside_what_it_became() -> None:
    rows = sides(program("button.py"))
    at = next(n for n, row in enumerate(rows) if "presses[0] += 1" in row[0])
    until = next(n for n in range(at + 1, len(rows)) if rows[n][0])
    assert any("lock *(u64 *)" in row[1] for row in rows[at:until])
    assert any(row[2] for row in rows[at:until])


def test_code_that_calls_functions_of_its_own() -> None:
    (spec,) = read_programs(str(ROOT / "tests/cli/calls.bpf.s")).programs
    assert [row[1] for row in sides(spec) if row[1].endswith(":")] == ["main:", "double:"]


def test_without_llvmlite_it_says_so() -> None:
    code = "import sys; sys.modules['llvmlite'] = None; from axiom_hw.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "disasm", "--source", str(DEMOS / "button.bpf.s")],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "--source: shows native code, which can't be had: llvmlite isn't installed\n"
        "    fix    leave it out, or --lines\n"
    )
