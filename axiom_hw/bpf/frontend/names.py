"""What an instruction is about, in the words of the Python source: the expression at its line and column.

Rejections by the verifier name it: "`last` may be None here".
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from axiom_hw.bpf.helpers import RAISES_BY_ID
from axiom_hw.bpf.isa import CALL_HELPER, JMP
from axiom_hw.bpf.spec import ProgramSpec

_CALL = JMP | 0x80


def named(spec: ProgramSpec, texts: Mapping[str, str]) -> ProgramSpec:
    """The program with a name in each source line: what stands there. `texts` are the files' contents.

    Several expressions may begin in one place. Of an instruction that stands for what Python raises, the name is the
    expression at fault; of any other, the innermost: what is followed or called.
    """
    known = {posixpath.normpath(file): text for file, text in texts.items()}  # as the object's lines call them
    lines = {}
    for pc, line in spec.lines.items():
        insn = spec.insns[pc]
        raised = RAISES_BY_ID.get(insn.imm) if insn.code == _CALL and insn.src == CALL_HELPER else None
        name = expression_at(known.get(line.file, ""), line.line, line.column, raised.name if raised else "")
        lines[pc] = replace(line, name=name or "")
    return replace(spec, lines=MappingProxyType(lines))


def expression_at(text: str, line: int, column: int, raised: str = "") -> str | None:
    """The expression that begins at a line and column (both from 1) of a source, or None where none does.

    `raised` is the name of what Python would raise: then it's the divisor, the index or the count that begins there.
    """
    found = _starts(text).get((line, column), ())
    if not found:
        return None
    for node, role in found:
        if raised and role == raised:
            return ast.unparse(node)
    return ast.unparse(found[-1][0])


@lru_cache(maxsize=16)
def _starts(text: str) -> dict[tuple[int, int], list[tuple[ast.expr, str]]]:
    """The expressions of a source by where they begin, the outermost first; each with what Python raises for it."""
    found: dict[tuple[int, int], list[tuple[ast.expr, str]]] = {}
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return found
    rows = text.splitlines()
    roles: dict[ast.AST, str] = {}
    for node in ast.walk(tree):  # parents come before their children
        match node:
            case (
                ast.BinOp(op=ast.FloorDiv() | ast.Mod(), right=right)
                | ast.AugAssign(op=ast.FloorDiv() | ast.Mod(), value=right)
            ):
                roles[right] = "ZeroDivisionError"
            case (
                ast.BinOp(op=ast.LShift() | ast.RShift(), right=right)
                | ast.AugAssign(op=ast.LShift() | ast.RShift(), value=right)
            ):
                roles[right] = "ValueError"
            case ast.Subscript(slice=index):
                roles[index] = "IndexError"
        if isinstance(node, ast.expr):
            column = len(rows[node.lineno - 1].encode()[: node.col_offset].decode(errors="replace")) + 1
            found.setdefault((node.lineno, column), []).append((node, roles.get(node, "")))
    return found
