"""Why a program is refused, told to its author: code, place, instruction, what is known, the path, and a way out."""

from __future__ import annotations

from collections.abc import Sequence

from axiom_hw.bpf.spec import ProgramSpec, SourceLine
from axiom_hw.bpf.verifier.codes import BY_ID, RAISED
from axiom_hw.bpf.verifier.python import speaks_python, tell
from axiom_hw.errors import AxiomError

_PATH_SHOWN = 10


class Refusal(Exception):
    """Raised where a check fails; `verify` turns it into a `Rejected`."""

    def __init__(
        self, code: str, problem: str, knows: Sequence[str] = (), fix: str = "", pc: int | None = None, about: str = ""
    ) -> None:
        super().__init__(code, problem)
        assert code in BY_ID, code
        self.code = code
        self.problem = problem
        self.knows = tuple(knows)
        self.fix = fix
        self.pc = pc
        self.about = about  # the object at fault as Python names it: "the value of `counts`"


class Rejected(AxiomError, ValueError):
    """The verifier can't prove the program safe. The text is a view of the fields; `code` is stable.

    `visited_insns` counts the instructions that the verifier had followed by then.
    """

    def __init__(
        self, spec: ProgramSpec, refusal: Refusal, pc: int, text: str, path: Sequence[int], visited_insns: int
    ) -> None:
        line = line_of(spec, pc)
        place = f"{line.file}:{line.line}" if line else f"{spec.name} at pc {pc}"
        problem, fix = refusal.problem, refusal.fix or BY_ID[refusal.code].fix
        if speaks_python(refusal.code, line):
            told = tell(refusal.code, problem, fix, refusal.about, line.name if line else "")
            problem, fix = told.problem, told.fix
        super().__init__(place, problem, fix)
        self.code = refusal.code
        self.pc = pc
        self.line = line
        self.text = "" if refusal.code in RAISED.values() else text  # a call that no author wrote
        self.knows = refusal.knows
        self.path = tuple(path)
        self.visited_insns = visited_insns

    def __str__(self) -> str:
        rows = [f"{self.place}: [{self.code}] {self.problem}"]
        if self.line and self.line.text.strip():
            source = self.line.text.expandtabs(4)
            bare = source.strip()
            rows.append(f"      {bare}")
            # The compiler's columns count the raw line, from 1; tabs before it are as wide as we print them.
            start = len(self.line.text[: max(self.line.column - 1, 0)].expandtabs(4)) - (
                len(source) - len(source.lstrip())
            )
            if self.line.column > 0 and 0 <= start < len(bare):
                rows.append(f"      {' ' * start}^")
        if self.text:
            rows.append(f"    at     {self.pc}: {self.text}")
        rows += [f"    {'knows ' if i == 0 else '      '} {fact}" for i, fact in enumerate(self.knows)]
        if self.path:
            rows.append(f"    path   {_shorten([*self.path, self.pc])}")
        if self.fix:
            rows.append(f"    fix    {_as_line(self.fix)}")
        return "\n".join(rows)


def _as_line(sentence: str) -> str:
    """A sentence as the rest of a line: `Set it first.` is `set it first`."""
    bare = sentence.removesuffix(".")
    return bare if bare[:2].isupper() or not bare[:1].isupper() else bare[0].lower() + bare[1:]


def line_of(spec: ProgramSpec, pc: int) -> SourceLine | None:
    """The source line of an instruction: line info names the first of each run."""
    for at in range(pc, -1, -1):
        if at in spec.lines:
            return spec.lines[at]
        if at in spec.functions:
            return None
    return None


def place_of(spec: ProgramSpec, pc: int) -> str:
    """Where another instruction stands: its line for authors of Python, else its pc."""
    line = line_of(spec, pc)
    return f"line {line.line}" if line is not None and speaks_python("", line) else f"pc {pc}"


def _shorten(path: list[int]) -> str:
    pcs = [str(pc) for i, pc in enumerate(path) if i == 0 or pc != path[i - 1]]
    if len(pcs) > _PATH_SHOWN:
        half = _PATH_SHOWN // 2
        pcs = [*pcs[:half], f"... {len(pcs) - _PATH_SHOWN} more ...", *pcs[-half:]]
    return " -> ".join(pcs)
