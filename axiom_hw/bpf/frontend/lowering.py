"""One function on its way to LLVM IR: the text so far, its variables, and where control is.

Variables are allocas; LLVM makes registers of them. Blocks are written in order; `flow` knows which variables surely
have a value here, so that what Python raises UnboundLocalError for is refused.
"""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend import arith, expressions
from axiom_hw.bpf.frontend.flow import Flow, Loop
from axiom_hw.bpf.frontend.numbers import Number
from axiom_hw.bpf.frontend.refusal import Refused, Span
from axiom_hw.bpf.frontend.source import Source
from axiom_hw.bpf.frontend.values import Kind, Value
from axiom_hw.bpf.helpers import RAISES_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axiom_hw.bpf.frontend.dialect import Dialect
    from axiom_hw.bpf.frontend.module import Module, Signature


class Lowering:
    """The function that is being lowered. What values call is here; the grammar is in expressions and statements."""

    def __init__(self, module: Module, dialect: Dialect, source: Source, result: Kind) -> None:
        self.module = module
        self.dialect = dialect
        self.source = source
        self.result = result
        self.places: dict[str, Value] = {}  # local variables
        self.fixed: dict[str, object] = {}  # parameters that are Python objects, known now
        self.locals: frozenset[str] = frozenset()  # every name that is assigned somewhere in the function
        self.flow: Flow = frozenset()
        self.loops: list[Loop] = []
        self.withs: list[tuple[Value, ast.AST]] = []
        self.held: list[str] = []  # what `hold` gave, and no `release` took back
        self.here: ast.AST = source.node
        self._scope = ""  # of debug information
        self._entry: list[str] = []
        self._zeros: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._open = True  # whether the block has no terminator yet

    # text

    def emit(self, text: str) -> None:
        """Append an instruction, with the place of the node that is being lowered."""
        if not self._open:
            self._label(self.label("dead"))  # behind return, break, continue: LLVM drops it
        self._lines.append(f"  {text}{self._place()}")

    def op(self, text: str) -> str:
        """Append an instruction that gives a value; the name of the value."""
        name = self.temporary()
        self.emit(f"{name} = {text}")
        return name

    def temporary(self) -> str:
        """A new local name, `%t7`."""
        self._count += 1
        return f"%t{self._count}"

    def label(self, hint: str) -> str:
        """A new label; `start` puts it."""
        self._count += 1
        return f"{hint}.{self._count}"

    def alloca(self, kind: str, hint: str = "", align: int = 8, zero: bool = True) -> str:
        """A slot of the frame: the name of its address. It lives as long as the function runs.

        A number's or pointer's is 0 at first, unless not `zero`: where LLVM may take any value for one that was never
        written, it moves reads to paths without writes, and the verifier, rightly, refuses those.
        """
        self._count += 1
        safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in hint)
        name = f"%{safe}.{self._count}"
        self._entry.append(f"  {name} = alloca {kind}, align {align}")
        if zero and self.dialect.judged and not kind.startswith(("[", "{")):
            self._zeros.append(f"  store {kind} {'null' if kind == 'ptr' else '0'}, ptr {name}, align {align}")
        return name

    def hold(self, kind: str, hint: str) -> str:
        """A slot for as long as the statement lasts: others get its place in the frame behind `release`."""
        slot = self.alloca(kind, hint, zero=False)
        if self.dialect.judged:
            self._lifetime("start", slot)
            self.held.append(slot)
        return slot

    def release(self, mark: int, forget: bool = True) -> None:
        """End the slots that were held since `len(held)` was `mark`; not `forget` where another path must end them."""
        for slot in self.held[mark:] if self._open else ():
            self._lifetime("end", slot)
        if forget:
            del self.held[mark:]

    def _lifetime(self, what: str, slot: str) -> None:
        name = f"@llvm.lifetime.{what}.p0"
        self.module.declarations[name] = f"declare void {name}(i64, ptr)"
        self.emit(f"call void {name}(i64 -1, ptr {slot})")

    def start(self, label: str, flow: Flow) -> None:
        """Begin a block; the one before falls into it, unless it has ended."""
        if self._open:
            self._lines.append(f"  br label %{label}{self._place()}")
        self._label(label)
        self.flow = flow

    def _label(self, label: str) -> None:
        self._lines.append(f"{label}:")
        self._open = True

    def jump(self, label: str) -> None:
        """End the block with a jump."""
        self.end(f"br label %{label}")

    def branch(self, condition: str, yes: str, no: str) -> None:
        """End the block with a decision on an i1."""
        self.end(f"br i1 {condition}, label %{yes}, label %{no}")

    def end(self, text: str) -> None:
        """End the block with a terminator."""
        self.emit(text)
        self._open = False
        self.flow = None

    def detach(self) -> list[str]:
        """Set the text so far aside: what comes now is a part of its own, until `attach`."""
        before, self._lines, self._open = self._lines, [], False
        return before

    def attach(self, before: list[str]) -> tuple[list[str], bool]:
        """Go back to the text that `detach` gave; the part since then, to be appended later."""
        part, self._lines = (self._lines, self._open), before
        self._open = False
        return part

    def append(self, part: tuple[list[str], bool]) -> None:
        """Put a part here, and go on behind it."""
        lines, self._open = part
        self._lines += lines

    @property
    def ended(self) -> bool:
        """Whether the block has a terminator: nothing leads to what comes next."""
        return not self._open

    @property
    def size(self) -> int:
        """How many lines it has so far."""
        return len(self._lines)

    def body(self) -> str:
        """All of the text, from the opening brace to the closing one."""
        return "\n".join(["{", "entry:", *self._entry, *self._zeros, *self._lines, "}"])

    def _place(self) -> str:
        if not self._scope or self.module.debug is None:
            return ""
        span = self.span(self.here)
        return f", !dbg {self.module.debug.location(self._scope, span.line, span.column)}"

    @property
    def scope(self) -> str:
        """The function in the debug information, `!7`; empty without it."""
        return self._scope

    def open_scope(self, signature: Signature, entry: bool) -> None:
        """Describe the function in the debug information; what is emitted from now on has places in it."""
        debug = self.module.debug
        if debug is not None:
            parameters = [(name, kind.debug(self)) for name, kind in signature.parameters]
            file = debug.file(self.source.file, self.source.text)
            line = self.source.node.lineno
            self._scope = debug.subprogram(
                file, signature.symbol, line, self.result.debug(self), parameters, local=not entry
            )

    # errors

    def span(self, node: ast.AST) -> Span:
        """Where a node stands in its file."""
        return self.source.span(node)

    def refuse(self, node: ast.AST, problem: str, fix: str = "", code: str = "P001") -> Refused:
        """The error for a node: to be raised. `fix` is what to write instead."""
        return Refused(code, self.span(node), problem, fix)

    def text(self, node: ast.AST) -> str:
        """A node as it was written, on one line."""
        return ast.unparse(node)

    def never(self, condition: str, what: str, node: ast.AST) -> None:
        """Go on only where an i1 is false; where it's true Python raises `what`, a name of `helpers.RAISES`.

        The path there ends in a call that the verifier refuses if it can be reached; `node` is what it names.
        """
        if condition == "false" or not self.dialect.judged:
            return
        raised, on = self.label("raises"), self.label("on")
        flow = self.flow
        self.branch(condition, raised, on)
        self.start(raised, flow)
        with self.at(node):
            self.emit(f"call void inttoptr (i64 {RAISES_BY_NAME[what].id} to ptr)() nomerge")
            self.end("ret void" if self.result.ir == "void" else f"ret {self.result.ir} 0")
        self.start(on, flow)

    # grammar, for values that lower their own arguments

    @contextmanager
    def at(self, node: ast.AST) -> Iterator[None]:
        """What is emitted inside has the place of `node`."""
        before, self.here = self.here, node
        try:
            yield
        finally:
            self.here = before

    def expression(self, node: ast.expr) -> Value:
        """Lower an expression; places are read."""
        with self.at(node):
            return expressions.expression(self, node)

    def number(self, node: ast.expr) -> Number:
        """Lower an expression that must be a number."""
        value = self.expression(node)
        with self.at(node):
            return value.number(self, node)

    def condition(self, node: ast.expr) -> str:
        """Lower an expression that is tested: an operand of type i1."""
        with self.at(node):
            return expressions.condition(self, node)

    def constant(self, node: ast.expr, what: str) -> int:
        """An integer that must be known now; `what` names it in the refusal."""
        found = self.number(node).constant
        if found is None:
            raise self.refuse(
                node, f"{what} must be known when the program is compiled", "a number, or a constant's name"
            )
        return found

    def binary(self, node: ast.AST, op: ast.operator, left: Value, right: Value) -> Value:
        """`left op right`."""
        return arith.binary(self, node, op, left, right)

    def unsigned(self, node: ast.AST, left: Number, right: Number) -> bool:
        """Whether the common type of two numbers is u64; refuses a u64 beside one that may be negative."""
        return arith.common_unsigned(self, node, left, right)

    def resolve(self, value: object) -> Value | None:
        """What a Python object means in this dialect."""
        return next((v for r in self.dialect.resolvers if (v := r(self, value)) is not None), None)

    def kind(self, annotation: object) -> Kind | None:
        """What an annotation means in this dialect."""
        return next((k for of in self.dialect.kinds if (k := of(annotation)) is not None), None)

    def helper(self, id: int, *operands: str) -> str:
        """Call a BPF helper with operands such as `i64 %t1` or `ptr %t2`; the result, an i64."""
        return self.op(f"call i64 inttoptr (i64 {id} to ptr)({', '.join(operands)})")
