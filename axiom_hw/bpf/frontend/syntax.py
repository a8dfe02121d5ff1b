"""What programs aren't written with: a row for each kind of syntax, with the reason and what to write instead."""

from __future__ import annotations

import ast
from types import BuiltinFunctionType, ModuleType
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend.refusal import Refused

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_NO_LISTS = "programs have no memory for lists; what they hold is declared before"
_IN_A_MAP = "an array of the application, `app.array(...)`, or a field that is a fixed array"

# Statements and expressions:  node  what is wrong  what to write
REFUSED: Final[dict[type[ast.AST], tuple[str, str]]] = {
    ast.List:           (_NO_LISTS, _IN_A_MAP),
    ast.ListComp:       (_NO_LISTS, "a `for` loop over an array"),
    ast.Set:            ("programs have no memory for sets", "`app.hash(...)`, with `in`"),
    ast.SetComp:        ("programs have no memory for sets", "a `for` loop"),
    ast.Dict:           ("programs have no memory for dicts", "`app.hash(name, key, value)`, declared outside"),
    ast.DictComp:       ("programs have no memory for dicts", "a `for` loop"),
    ast.GeneratorExp:   ("programs have no generators", "a `for` loop"),
    ast.Tuple:          ("a tuple is no value here", "one variable for each, or a table outside: `T = (1, 2)`"),
    ast.Lambda:         ("programs have no functions as values", "a function of its own, with annotations"),
    ast.JoinedStr:      ("strings exist in print() only", 'print(f"...")'),
    ast.FormattedValue: ("strings exist in print() only", 'print(f"...")'),
    ast.Await:          ("a program runs to its end at once, so it can't wait", "a second program, on a timer"),
    ast.Yield:          ("a program gives one number", "`ring.output(...)` for each record"),
    ast.YieldFrom:      ("a program gives one number", "`ring.output(...)` for each record"),
    ast.Starred:        ("arguments are passed one by one", "each of them"),
    ast.Slice:          ("there are no slices", "a `for` loop over the indices"),
    ast.MatMult:        ("`@` multiplies matrices, and programs have integers only", "`*`"),
    ast.Try:            ("nothing raises in a program: what might is refused", "test before: `if b != 0:`"),
    ast.TryStar:        ("nothing raises in a program: what might is refused", "test before: `if b != 0:`"),
    ast.Raise:          ("a program can't raise: nobody could catch it", "`return` a number that says what happened"),
    ast.Assert:         ("`assert` raises, and nobody could catch it", "`if not ...: return 0`"),
    ast.Delete:         ("`del` takes a key of a hash map", "`del counts[key]`"),
    ast.Global:         ("names outside of a program are constants", "a map: `total = app.array(\"total\", u64)`"),
    ast.Nonlocal:       ("names outside of a program are constants", "a map: `total = app.array(\"total\", u64)`"),
    ast.Import:         ("programs import nothing while they run", "the import at the top of the file"),
    ast.ImportFrom:     ("programs import nothing while they run", "the import at the top of the file"),
    ast.FunctionDef:    ("functions aren't defined inside of programs", "it at the top level, with annotations"),
    ast.AsyncFunctionDef: ("a program runs to its end at once, so nothing is async", "def"),
    ast.ClassDef:       ("classes aren't defined inside of programs", "it at the top level, with `@layout`"),
    ast.AsyncFor:       ("a program runs to its end at once, so nothing is async", "for"),
    ast.AsyncWith:      ("a program runs to its end at once, so nothing is async", "with"),
}  # fmt: skip

# Assignment targets.
_TARGETS: Final[dict[type[ast.AST], tuple[str, str]]] = {
    ast.Starred: ("there are no lists to unpack into", "one variable for each element"),
    ast.Tuple:   ("tuples within tuples aren't unpacked", "one assignment after the other"),
    ast.List:    ("there are no lists to unpack into", "`a, b = b, a`"),
}  # fmt: skip

# Literals, by their type.
CONSTANTS: Final[dict[type, tuple[str, str]]] = {
    float:   ("programs have integers only", "fixed point: thousandths, say, with `//`"),
    complex: ("programs have integers only", "two integers"),
    str:     ("strings exist in print() and as names of helpers' arguments only", "a number, or a constant's name"),
    bytes:   ("programs have integers only", "a number"),
}  # fmt: skip


def refused(low: Lowering, node: ast.AST) -> Refused:
    """The refusal of a piece of syntax."""
    problem, fix = REFUSED.get(type(node), (f"programs don't have this ({type(node).__name__})", ""))
    return low.refuse(node, problem, fix, "P002")


def refused_target(low: Lowering, node: ast.expr) -> Refused:
    """The refusal of something to assign to."""
    problem, fix = _TARGETS.get(type(node), (f"`{ast.unparse(node)}` can't be assigned to", "a name"))
    return low.refuse(node, problem, fix, "P002")


def refused_constant(low: Lowering, node: ast.Constant) -> Refused:
    """The refusal of a literal."""
    if node.value is Ellipsis:
        return low.refuse(node, "`...` is no value", "pass", "P002")
    problem, fix = CONSTANTS[type(node.value)]
    return low.refuse(node, problem, fix, "P002")


def refused_object(low: Lowering, node: ast.AST, found: object) -> Refused:
    """The refusal of a name that means something which programs have no use for."""
    shown = ast.unparse(node)
    if type(found) in CONSTANTS:
        problem, fix = CONSTANTS[type(found)]
        kind = "holds bytes" if isinstance(found, bytes) else f"is a {type(found).__name__}"
        return low.refuse(node, f"`{shown}` {kind}, and {problem}", fix, "P003")
    if isinstance(found, list | dict | set | tuple):
        return low.refuse(
            node, f"`{shown}` is a {type(found).__name__} of the application, which programs can't see",
            "a map, `app.array(...)` or `app.hash(...)`; or, where it never changes, a tuple of numbers", "P003",
        )  # fmt: skip
    if found is None:
        return low.refuse(node, f"`{shown}` is None, and constants are numbers", "a number", "P003")
    if isinstance(found, BuiltinFunctionType | type | ModuleType) or callable(found):
        return low.refuse(node, f"`{shown}` is no function or type that programs have", _known(low), "P003")
    kind = type(found).__name__
    return low.refuse(node, f"`{shown}` is a {kind}, which programs can't see", "a constant, a map or a ring", "P003")


def _known(low: Lowering) -> str:
    return "abs, min, max, int, bool, u8 to s64, range, print, helpers, or a function with annotations"
