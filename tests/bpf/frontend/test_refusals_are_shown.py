"""Each sentence with which the front end refuses something is shown by a case, so that somebody has read it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any, Final

import pytest

pytest.importorskip("llvmlite")

from axiom_hw.bpf import frontend
from axiom_hw.bpf.frontend import syntax
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.frontend.user import lower_program
from tests.bpf.frontend import program_cases, test_library_refused

HERE: Final = Path(frontend.__file__).parent
# The raw dialect is for our own functions: who writes one reads the compiler.
RAW: Final = {"primitives.py", "rawcalls.py", "raw.py", "extern.py"}
# Sentences that no program shows: of parameters that only raw functions have, and of maps that have no declaration.
ELSEWHERE: Final = ("is known when the program is compiled, and", "are bytes, which programs have no use for")

Site = tuple[str, int]


def sites() -> dict[Site, ast.Call]:
    """Each place that makes a refusal, by file and first line."""
    found: dict[Site, ast.Call] = {}
    for path in sorted(HERE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and path.name not in RAW and path.name != "lowering.py":
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in ("refuse", "Refused"):
                    found[path.name, node.lineno] = node
    return found


def test_each_refusal_is_shown_by_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: set[Site] = set()
    plain = Refused.__init__

    def noted(self: Refused, *given: Any) -> None:
        frame = sys._getframe(1)
        while frame.f_code.co_name == "refuse" and frame.f_back is not None:  # Lowering.refuse
            frame = frame.f_back
        lines.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        plain(self, *given)

    monkeypatch.setattr(Refused, "__init__", noted)
    for path in program_cases.paths():
        if "\n-- refused\n" in path.read_text():
            with pytest.raises(Refused):
                lower_program(program_cases.load(path).program, "test")
    for case in test_library_refused.cases():
        test_library_refused.told(str(case.values[0]))
    unseen = [
        f"{file}:{line}: {ast.unparse(node)}"
        for (file, line), node in sites().items()
        if not any((file, at) in lines for at in range(line, (node.end_lineno or line) + 1))
        and not any(words in ast.unparse(node) for words in ELSEWHERE)
    ]
    assert not unseen, "\n".join(unseen)


def test_each_row_of_the_tables_is_shown_by_a_case() -> None:
    shown = "\n".join(path.read_text() for path in program_cases.paths())
    rows = [*syntax.REFUSED.items(), *syntax.CONSTANTS.items()]
    unseen = {
        kind.__name__
        for kind, (problem, fix) in rows
        if f"] {problem}\n" not in shown or f"    write  {fix}\n" not in shown
    }
    # These stand in async functions only, which are refused as a whole.
    assert unseen == {"Await", "AsyncFor", "AsyncWith"}
