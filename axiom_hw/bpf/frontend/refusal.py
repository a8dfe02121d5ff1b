"""What the front end doesn't take, told to its author: the place, a sentence, the line, what to write instead."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from axiom_hw.bpf.frontend.codes import BY_ID
from axiom_hw.errors import AxiomError


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source file. Lines and columns count from 1, columns in characters; `end` is behind the last."""

    file: str
    line: int
    column: int
    end: int
    text: str  # the whole line

    @classmethod
    def of(cls, node: ast.AST, file: str, lines: tuple[str, ...]) -> Span:
        """Where a node stands; of a node of several lines, its first. `ast` counts columns in bytes of UTF-8."""
        line, start, end = _place(node)
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        raw = text.encode()
        last = len(raw.rstrip()) if end is None else end
        return cls(
            file,
            line,
            len(raw[:start].decode(errors="replace")) + 1,
            len(raw[:last].decode(errors="replace")) + 1,
            text,
        )


def _place(node: ast.AST) -> tuple[int, int, int | None]:
    """Line, first byte, and the byte behind the last, None where the node goes on in the next line."""
    line, start = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    end_line, end = getattr(node, "end_lineno", line), getattr(node, "end_col_offset", start + 1)
    if isinstance(node, ast.stmt) and not isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign):
        return line, start, start + len(_keyword(node)) if end_line != line else end
    return line, start, end if end_line == line else None


def _keyword(node: ast.stmt) -> str:
    """The word that a statement begins with: enough to underline of one that is a page long."""
    words = {ast.FunctionDef: "def", ast.AsyncFunctionDef: "async def", ast.ClassDef: "class", ast.Try: "try",
             ast.TryStar: "try"}  # fmt: skip
    return words.get(type(node), type(node).__name__.lower())


class Refused(AxiomError, SyntaxError):
    """Python that programs can't be written in, or a type that doesn't fit. `span` is the place, in fields.

    `code` is stable: `axiom-hw explain` knows it.
    """

    def __init__(self, code: str, span: Span, problem: str, fix: str = "") -> None:
        super().__init__(f"{span.file}:{span.line}", problem, fix)
        assert code in BY_ID, code
        self.code = code
        self.span = span

    def __str__(self) -> str:
        span = self.span
        rows = [f"{span.file}:{span.line}: [{self.code}] {self.problem}"]
        shown = span.text.expandtabs(4)
        bare = shown.strip()
        if bare:
            indent = len(shown) - len(shown.lstrip())
            start = len(span.text[: span.column - 1].expandtabs(4)) - indent
            width = max(len(span.text[: span.end - 1].expandtabs(4)) - indent - start, 1)
            rows += [f"      {bare}", f"      {' ' * start}{'^' * width}"]
        if self.fix:
            rows.append(f"    write  {self.fix}")
        return "\n".join(rows)
