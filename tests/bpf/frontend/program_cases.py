"""One case, one file: a function in restricted Python, and that it does what CPython does, or why it isn't taken.

# What the case is about, in one sentence.
-- python                   functions; the last one is the case, what it calls stands above it
def area(w: u32, h: u32) -> int:
    return w * h
-- range                    optional: two numbers between which 64-bit results are exact; see below
-9223372036854775808 9223372036854775807
-- inputs                   optional: more inputs, a line a call, besides some hundred that are drawn
3 4
-- refused                  the front end refuses it: the whole message. Its file is called program.py
program.py:2: [P002] ...
-- rejected                 it compiles, and the verifier refuses it: the message without its lines at, knows and path

Names that a case may use without importing them: u8 to s64, `hw`, IntEnum, and what `constants` below defines.

A case that is neither refused nor rejected is run by CPython, by the interpreter and as native code, on the same
inputs, and must give the same. Wrap-around is the one documented difference between Python and programs, so an input
is passed over where CPython's result of any operator leaves `range`, or a value leaves the width it is declared with:
that of a variable, a result, an element of `hw.zeros(...)` or a field of a class with `@hw.layout(size=...)`.
`range` is s64's where no parameter is u64, else u64's: there, neither is exact for both kinds of numbers.
"""

from __future__ import annotations

import ast
import linecache
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import axiom_hw as hw
from axiom_hw.bpf import layout
from axiom_hw.bpf.layout import S64, U8, Scalar

CASES: Final = Path(__file__).parent / "cases"
FILE: Final = "program.py"
WRAPPER: Final = "wrapper.py"
_SECTIONS: Final = ("python", "range", "inputs", "refused", "rejected")
_WIDTHS: Final = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
DRAWN: Final = 150


class Mode(IntEnum):
    """An enum for cases."""

    OFF = 0
    SLOW = 3
    FAST = 7


CONSTANTS: Final = {"hw": hw, "IntEnum": IntEnum, "Mode": Mode, "LIMIT": 100, "RATIO": 2.5, "TABLE": [1, 2, 3]}


class CaseError(ValueError):
    """A case file that can't be understood: the file and the reason."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


class PassedOver(Exception):
    """CPython's result doesn't fit where a program's would wrap: this input says nothing."""


@dataclass(frozen=True)
class Case:
    """A parsed file. `subject` is the function, `program` calls it with the fields of a context."""

    path: Path
    subject: FunctionType
    oracle: Callable[..., int]
    program: FunctionType
    context: type[Any]
    parameters: tuple[tuple[str, Scalar, bool], ...]  # name, type, whether it is a bool
    inputs: tuple[tuple[int, ...], ...]
    refused: str | None
    rejected: str | None


def paths() -> list[Path]:
    """All case files, in order."""
    return sorted(CASES.glob("*.case"))


def load(path: Path) -> Case:
    """Read one file. Raises `CaseError`."""
    return parse(path, path.read_text())


def parse(path: Path, content: str) -> Case:
    """As `load`, of a file with this content. Raises `CaseError`."""
    sections = _split(path, content)
    text = "\n".join(sections["python"]) + "\n"
    tree = ast.parse(text, FILE)
    names = {width: getattr(layout, width) for width in _WIDTHS} | CONSTANTS
    subject = _define(text, FILE, names)
    given = [
        (a.arg, names.get(ast.unparse(a.annotation)) if a.annotation else None) for a in subject_node(tree).args.args
    ]
    parameters = tuple((name, layout.scalar_of(kind) or S64, _is_bool(tree, name)) for name, kind in given)
    context = _context(parameters)
    wrapper = _define(_wrapper(subject, parameters), WRAPPER, {**names, subject.__name__: subject, "Inputs": context})
    exact = _range(path, sections, parameters)
    return Case(
        path, subject, _oracle(tree, names, exact), wrapper, context, parameters,
        tuple(tuple(int(n, 0) for n in row.split()) for row in sections.get("inputs", ()) if row.strip()),
        _message(sections, "refused"), _message(sections, "rejected"),
    )  # fmt: skip


def subject_node(tree: ast.Module) -> ast.FunctionDef:
    """The last function of a case."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)][-1]


def draws(case: Case, seed: int = 1) -> Iterator[tuple[int, ...]]:
    """Inputs: those of the file, then edges and random numbers of each parameter's type."""
    yield from case.inputs
    rng = random.Random(seed)
    for _ in range(DRAWN if case.parameters else 1):
        yield tuple(_draw(rng, scalar, is_bool) for _, scalar, is_bool in case.parameters)


def _draw(rng: random.Random, scalar: Scalar, is_bool: bool) -> int:
    if is_bool:
        return rng.randrange(2)
    low, high = scalar.limits
    match rng.randrange(5):
        case 0:
            return rng.choice((low, low + 1, high, high - 1, 0, 1, max(low, -1)))
        case 1:
            return rng.randint(low, high)
        case 2:
            bits = rng.randrange(1, 8 * scalar.size)
            return max(low, min(high, rng.choice((1, -1)) * rng.getrandbits(bits)))
        case _:
            return rng.randint(max(low, -12), min(high, 12))


def _split(path: Path, content: str) -> dict[str, list[str]]:
    lines = content.splitlines()
    if not lines or not lines[0].startswith("# ") or not lines[0].endswith("."):
        raise CaseError(path, "the first line is `# ` and a sentence on what the case is about")
    found: dict[str, list[str]] = {}
    for line in lines[1:]:
        if line.startswith("-- "):
            name = line.removeprefix("-- ").strip()
            if name not in _SECTIONS or name in found:
                raise CaseError(path, f"section {name!r}: there are {', '.join(_SECTIONS)}, each once")
            found[name] = []
        elif not found:
            raise CaseError(path, f"{line!r} stands in front of the first section")
        else:
            found[list(found)[-1]].append(line)
    if "python" not in found:
        raise CaseError(path, "has no section python")
    return found


def _message(sections: dict[str, list[str]], name: str) -> str | None:
    return "\n".join(sections[name]).rstrip() if name in sections else None


def _is_bool(tree: ast.Module, name: str) -> bool:
    return any(
        a.arg == name and a.annotation is not None and ast.unparse(a.annotation) == "bool"
        for a in subject_node(tree).args.args
    )


def _define(text: str, file: str, names: dict[str, Any]) -> FunctionType:
    """Run a text as a module; its last function. `linecache` shows it to the front end as a file."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {**names, "__name__": file}
    exec(compile(text, file, "exec", dont_inherit=True), space)
    return [
        value for value in space.values() if isinstance(value, FunctionType) and value.__code__.co_filename == file
    ][-1]


def _context(parameters: tuple[tuple[str, Scalar, bool], ...]) -> type[Any]:
    """A struct with a field for each parameter; a bool takes a byte."""
    scalars = {name: U8 if is_bool else scalar for name, scalar, is_bool in parameters} or {"unused": U8}
    at, widest = 0, max(scalar.size for scalar in scalars.values())
    for scalar in scalars.values():
        at = -(-at // scalar.size) * scalar.size + scalar.size
    fields = {name: getattr(layout, scalar.name) for name, scalar in scalars.items()}
    made = type("Inputs", (), {"__annotations__": fields, "__module__": __name__})
    return layout.layout(size=-(-at // widest) * widest)(made)


def _wrapper(subject: FunctionType, parameters: tuple[tuple[str, Scalar, bool], ...]) -> str:
    passed = ", ".join(f"bool(ctx.{name})" if is_bool else f"ctx.{name}" for name, _, is_bool in parameters)
    returns = subject.__annotations__.get("return", int)
    shown = getattr(returns, "__name__", "int")
    if returns is None:
        return f"def program(ctx: Inputs) -> int:\n    {subject.__name__}({passed})\n    return 0\n"
    return f"def program(ctx: Inputs) -> {shown}:\n    return {subject.__name__}({passed})\n"


def _range(
    path: Path, sections: dict[str, list[str]], parameters: tuple[tuple[str, Scalar, bool], ...]
) -> tuple[int, int]:
    if "range" in sections:
        low, high = " ".join(sections["range"]).split()
        return int(low, 0), int(high, 0)
    return layout.U64.limits if any(scalar == layout.U64 for _, scalar, _ in parameters) else S64.limits


def _oracle(tree: ast.Module, names: dict[str, Any], exact: tuple[int, int]) -> Callable[..., int]:
    """The same functions for CPython, which raise `PassedOver` where a program would wrap."""

    def check(value: Any) -> Any:
        if isinstance(value, int) and not exact[0] <= value <= exact[1]:
            raise PassedOver
        return value

    def shift(value: int, count: int) -> int:
        if count > 64 and value:
            raise PassedOver
        return int(check(value << min(count, 128)))

    def fit(kind: Any, value: Any) -> Any:
        scalar = S64 if kind is int else layout.scalar_of(kind)
        if scalar is not None and isinstance(value, int) and not scalar.limits[0] <= value <= scalar.limits[1]:
            raise PassedOver
        return value

    made = ast.fix_missing_locations(_Checked().visit(ast.parse(ast.unparse(tree))))
    space: dict[str, Any] = {**names, "hw": _Strict(), "__check": check, "__shift": shift, "__fit": fit}
    exec(compile(made, "oracle.py", "exec", dont_inherit=True), space)
    found = space[subject_node(tree).name]
    assert isinstance(found, FunctionType)
    return found


class _Array(list[int]):
    """What `zeros` gives, with elements that can't wrap."""

    def __init__(self, scalar: Scalar, count: int) -> None:
        super().__init__([0] * count)
        self.limits = scalar.limits

    def __setitem__(self, index: Any, value: Any) -> None:
        if not self.limits[0] <= value <= self.limits[1]:
            raise PassedOver
        super().__setitem__(index, value)


class _Strict:
    """The module `hw`, with arrays and structs in which nothing wraps."""

    def __getattr__(self, name: str) -> Any:
        return getattr(hw, name)

    def zeros(self, kind: Any, count: int) -> list[int]:
        scalar = layout.scalar_of(kind)
        assert scalar is not None
        return _Array(scalar, count)

    def layout(self, *, size: int, frozen: bool = False) -> Callable[[type[Any]], type[Any]]:
        def decorate(cls: type[Any]) -> type[Any]:
            made = layout.layout(size=size, frozen=frozen)(cls)
            limits = {field.name: field.scalar.limits for field in made.LAYOUT.fields if not field.count}

            def assign(self: Any, name: str, value: Any) -> None:
                if name in limits and not limits[name][0] <= value <= limits[name][1]:
                    raise PassedOver
                object.__setattr__(self, name, value)

            made.__setattr__ = assign  # type: ignore[method-assign, assignment]
            return made

        return decorate


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


class _Checked(ast.NodeTransformer):
    """Puts a check around every operator, and around what goes where a width is declared."""

    def __init__(self) -> None:
        self.declared: dict[str, ast.expr] = {}
        self.returns: ast.expr | None = None

    def visit_Module(self, node: ast.Module) -> ast.Module:
        node.body = [self.visit(part) if isinstance(part, ast.FunctionDef) else part for part in node.body]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.returns = node.returns
        self.declared = {a.arg: a.annotation for a in node.args.args if a.annotation is not None}
        for inner in ast.walk(node):
            if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                self.declared[inner.target.id] = inner.annotation
        entry = [
            ast.Assign([ast.Name(a.arg, ast.Store())], _call("__fit", a.annotation, ast.Name(a.arg, ast.Load())))
            for a in node.args.args
            if a.annotation is not None
        ]
        body = ast.Module(node.body, [])
        self.generic_visit(body)
        node.body = [*entry, *body.body]
        if not (isinstance(node.returns, ast.Constant) and node.returns.value is None):
            node.body.append(ast.Return(ast.Constant(0)))  # falling off the end gives 0
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return _call("__shift", node.left, node.right) if isinstance(node.op, ast.LShift) else _call("__check", node)

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.MatchValue:
        return node  # a pattern isn't evaluated

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return node if isinstance(node.op, ast.Not) else _call("__check", node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return _call("__check", node) if isinstance(node.func, ast.Name) and node.func.id == "abs" else node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        self.generic_visit(node)
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id in self.declared:
            node.value = _call("__fit", self.declared[node.targets[0].id], node.value)
        elif isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            for at, target in enumerate(node.targets[0].elts):
                if isinstance(target, ast.Name) and target.id in self.declared:
                    node.value.elts[at] = _call("__fit", self.declared[target.id], node.value.elts[at])
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.Pass()
        self.generic_visit(node)
        return ast.Assign([node.target], _call("__fit", node.annotation, node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | list[ast.stmt]:
        if not isinstance(node.target, ast.Name):
            return self._in_place(node)
        load = ast.Name(node.target.id, ast.Load())
        return self.visit_Assign(ast.Assign([node.target], self.visit_BinOp(ast.BinOp(load, node.op, node.value))))

    def _in_place(self, node: ast.AugAssign) -> list[ast.stmt]:
        """`w[i] += y`: the index is evaluated first and once, then w[i], then y. The rest is names."""
        before: list[ast.stmt] = []
        target = node.target
        if isinstance(target, ast.Subscript):
            before.append(ast.Assign([ast.Name("__index", ast.Store())], self.visit(target.slice)))
            target = ast.Subscript(target.value, ast.Name("__index", ast.Load()), ast.Store())
        load = ast.parse(ast.unparse(target), mode="eval").body
        assert not any(isinstance(part, ast.Call | ast.NamedExpr) for part in ast.walk(load))
        return [*before, self.visit_Assign(ast.Assign([target], ast.BinOp(load, node.op, node.value)))]

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.NamedExpr:
        self.generic_visit(node)
        if node.target.id in self.declared:
            node.value = _call("__fit", self.declared[node.target.id], node.value)
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:
        self.generic_visit(node)
        value = node.value or ast.Constant(0)
        return ast.Return(_call("__fit", self.returns, value) if self.returns is not None else value)
