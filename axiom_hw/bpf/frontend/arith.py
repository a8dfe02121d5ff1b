"""Operators on numbers: what Python computes, on 64 bits.

The result of + - * & | ^ is u64 if one side is u64, else s64; both wrap. // % floor as in Python, and refuse a u64
beside a number that may be negative, because neither type holds all results. >> and << take the type of their left
side; the count may be as large as it likes, but not negative. Comparisons are exact, whatever the types.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend.numbers import S64_MAX, S64_MIN, U64_MAX, Bool, Number, const, signed, unsigned
from axiom_hw.bpf.frontend.values import Value

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_FOLD: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift, ast.Pow: operator.pow,
}  # fmt: skip
_WRAPPING: Final = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip
_MAX_FOLDED_BITS: Final = 4096


def binary(low: Lowering, node: ast.AST, op: ast.operator, left: Value, right: Value) -> Value:
    """`left op right`, for values that have been read."""
    if isinstance(left, Bool) and isinstance(right, Bool) and type(op) in (ast.BitAnd, ast.BitOr, ast.BitXor):
        return Bool(low.op(f"{_WRAPPING[type(op)]} i1 {left.operand}, {right.operand}"))
    left_node, right_node = getattr(node, "left", node), getattr(node, "right", getattr(node, "value", node))
    a, b = left.number(low, left_node), right.number(low, right_node)
    if a.constant is not None and b.constant is not None:
        return _fold(low, node, op, a.constant, b.constant, right_node)
    match op:
        case ast.Add() | ast.Sub() | ast.Mult() | ast.BitAnd() | ast.BitOr() | ast.BitXor():
            return _wrapping(low, node, op, a, b)
        case ast.FloorDiv() | ast.Mod():
            return _division(low, node, op, a, b, right_node)
        case ast.LShift() | ast.RShift():
            return _shift(low, node, op, a, b, right_node)
        case ast.Div():
            raise low.refuse(node, "`/` gives a float, and programs have integers only", "`//`", "P002")
        case ast.Pow():
            raise low.refuse(
                node, "`**` of a variable isn't supported", "`x * x`, or `1 << x` for a power of two", "P002"
            )
        case _:
            raise low.refuse(node, "`@` multiplies matrices, and programs have integers only", "`*`", "P002")


def _fold(low: Lowering, node: ast.AST, op: ast.operator, a: int, b: int, right: ast.AST) -> Number:
    if isinstance(op, ast.Div):
        raise low.refuse(node, "`/` gives a float, and programs have integers only", "`//`", "P002")
    if type(op) not in _FOLD:
        raise low.refuse(node, "`@` multiplies matrices, and programs have integers only", "`*`", "P002")
    if isinstance(op, ast.FloorDiv | ast.Mod) and b == 0:
        raise low.refuse(right, "this divides by 0, for which Python raises ZeroDivisionError", "another divisor")
    if isinstance(op, ast.LShift | ast.RShift | ast.Pow) and b < 0:
        raise low.refuse(right, f"{b} is negative; Python has no integer result for it", "a count from 0 on")
    size = a.bit_length() * b if isinstance(op, ast.Pow) else b if isinstance(op, ast.LShift) else 0
    if size > _MAX_FOLDED_BITS:
        raise low.refuse(node, f"this constant has some {size} bits; programs compute on 64", "a smaller one")
    return const(_FOLD[type(op)](a, b))


def _wrapping(low: Lowering, node: ast.AST, op: ast.operator, a: Number, b: Number) -> Number:
    x, y = _operand(low, node, a), _operand(low, node, b)
    result = low.op(f"{_WRAPPING[type(op)]} i64 {x}, {y}")
    lo, hi = _range(op, a, b)
    return (unsigned if a.unsigned or b.unsigned else signed)(result, lo, hi)


def _range(op: ast.operator, a: Number, b: Number) -> tuple[int, int]:
    """Limits of the exact result; the type's own, where it wraps."""
    match op:
        case ast.Add():
            return a.lo + b.lo, a.hi + b.hi
        case ast.Sub():
            return a.lo - b.hi, a.hi - b.lo
        case ast.Mult():
            ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
            return min(ends), max(ends)
        case ast.BitAnd() if a.lo >= 0 or b.lo >= 0:
            return 0, min(n.hi for n in (a, b) if n.lo >= 0)
        case ast.BitOr() | ast.BitXor() if a.lo >= 0 and b.lo >= 0:
            return 0, (1 << max(a.hi, b.hi).bit_length()) - 1
    return S64_MIN, U64_MAX  # no limit: neither type holds it, so each takes its own


def _operand(low: Lowering, node: ast.AST, number: Number) -> str:
    """An operand of 64 bits; refuses a constant that no 64 bits hold."""
    if not S64_MIN <= number.lo <= number.hi <= U64_MAX:
        raise low.refuse(
            node, f"{number.lo} takes more than 64 bits", "programs compute on 64 bits: -2**63 to 2**64 - 1"
        )
    return number.operand


def common_unsigned(low: Lowering, node: ast.AST, a: Number, b: Number) -> bool:
    """Whether two numbers are to be seen as u64 together; refuses a u64 beside one that may be negative."""
    _operand(low, node, a)
    _operand(low, node, b)
    if not (a.unsigned or b.unsigned):
        return False
    if all(number.hi <= S64_MAX for number in (a, b)):
        return a.lo >= 0 and b.lo >= 0
    if a.lo < 0 or b.lo < 0:
        raise low.refuse(
            node, "one side is a u64, the other may be negative: no type of 64 bits holds both",
            "u64(...) around the signed one, or s64(...) around the unsigned one",
        )  # fmt: skip
    return True


def _division(low: Lowering, node: ast.AST, op: ast.operator, a: Number, b: Number, right: ast.AST) -> Number:
    as_unsigned = common_unsigned(low, node, a, b)
    if b.lo <= 0 <= b.hi:
        low.never("true" if b.constant == 0 else low.op(f"icmp eq i64 {b.operand}, 0"), "ZeroDivisionError", right)
    quotient = isinstance(op, ast.FloorDiv)
    if as_unsigned or (a.lo >= 0 and b.lo >= 0):
        result = low.op(f"{'udiv' if quotient else 'urem'} i64 {a.operand}, {b.operand}")
        lo, hi = (0, a.hi // max(b.lo, 1)) if quotient else (0, min(a.hi, max(b.hi - 1, 0)))
        return unsigned(result, lo, hi) if as_unsigned else signed(result, lo, hi)
    return _floor(low, a, b, quotient)


def _floor(low: Lowering, a: Number, b: Number, quotient: bool) -> Number:
    """Signed division, rounded down. LLVM has no result for -2**63 // -1: by -1, it is negation, which wraps."""
    lo, hi = (S64_MIN, S64_MAX) if quotient else (min(b.lo + 1, 0), max(b.hi - 1, 0))
    if b.constant is not None and b.constant > 0 and b.constant & (b.constant - 1) == 0:
        if quotient:
            return signed(low.op(f"ashr i64 {a.operand}, {b.constant.bit_length() - 1}"), lo, hi)
        return signed(low.op(f"and i64 {a.operand}, {b.constant - 1}"), lo, hi)
    divisor = b.operand
    by_minus_one = ""
    if b.lo <= -1 <= b.hi:
        by_minus_one = low.op(f"icmp eq i64 {divisor}, -1")
        divisor = low.op(f"select i1 {by_minus_one}, i64 1, i64 {divisor}")
    rest = low.op(f"srem i64 {a.operand}, {divisor}")
    # The rest has the sign of `a`; where that isn't the sign of the divisor, one less is the floor.
    other = low.op(f"icmp slt i64 {low.op(f'xor i64 {rest}, {divisor}')}, 0")
    inexact = low.op(f"icmp ne i64 {rest}, 0")
    adjust = low.op(f"and i1 {other}, {inexact}")
    if quotient:
        down = low.op(f"sdiv i64 {a.operand}, {divisor}")
        found = low.op(f"add i64 {down}, {low.op(f'sext i1 {adjust} to i64')}")
        by_one = low.op(f"sub i64 0, {a.operand}") if by_minus_one else ""
    else:
        found = low.op(f"add i64 {rest}, {low.op(f'select i1 {adjust}, i64 {divisor}, i64 0')}")
        by_one = "0"
    if by_minus_one:
        found = low.op(f"select i1 {by_minus_one}, i64 {by_one}, i64 {found}")
    return signed(found, lo, hi)


def _shift(low: Lowering, node: ast.AST, op: ast.operator, a: Number, b: Number, right: ast.AST) -> Number:
    x = _operand(low, node, a)
    if b.constant is not None and b.constant < 0:
        raise low.refuse(
            right, f"{b.constant} is a negative shift count, for which Python raises ValueError", "a count from 0 on"
        )
    if b.lo < 0:
        low.never(low.op(f"icmp slt i64 {b.operand}, 0"), "ValueError", right)
    verb = "shl" if isinstance(op, ast.LShift) else "lshr" if a.unsigned or a.lo >= 0 else "ashr"
    made = unsigned if a.unsigned else signed
    lo, hi = _shifted(op, a, b)
    if b.hi <= 63 and b.lo >= 0:
        return made(low.op(f"{verb} i64 {x}, {b.operand}"), lo, hi)
    if b.lo > 63:
        return made(low.op(f"ashr i64 {x}, 63") if verb == "ashr" else "0", lo, hi)
    too_far = low.op(f"icmp ugt i64 {b.operand}, 63")
    if verb == "ashr":
        count = low.op(f"select i1 {too_far}, i64 63, i64 {b.operand}")
        return made(low.op(f"ashr i64 {x}, {count}"), lo, hi)
    count = low.op(f"and i64 {b.operand}, 63")
    return made(low.op(f"select i1 {too_far}, i64 0, i64 {low.op(f'{verb} i64 {x}, {count}')}"), lo, hi)


def _shifted(op: ast.operator, a: Number, b: Number) -> tuple[int, int]:
    least, most = min(max(b.lo, 0), 64), min(max(b.hi, 0), 64)
    if isinstance(op, ast.RShift):
        return min(a.lo >> least, a.lo >> most), max(a.hi >> least, a.hi >> most)
    ends = [n << k for n in (a.lo, a.hi) for k in (least, most)]
    return min(ends), max(ends)


def compare(low: Lowering, node: ast.AST, op: ast.cmpop, a: Number, b: Number) -> str:
    """An i1. Exact for any two types; what the limits decide is decided here."""
    verb = _VERBS[type(op)]
    known = _decided(verb, a, b)
    if known is not None:
        return "true" if known else "false"
    if a.unsigned == b.unsigned or (a.lo >= 0 and b.lo >= 0):
        sign = "" if verb in ("eq", "ne") else "u" if a.lo >= 0 and b.lo >= 0 else "s"
        return low.op(f"icmp {sign}{verb} i64 {a.operand}, {b.operand}")
    # One is a u64, the other may be negative, and is less then.
    mixed = low.op(f"icmp {'' if verb in ('eq', 'ne') else 'u'}{verb} i64 {a.operand}, {b.operand}")
    negative = low.op(f"icmp slt i64 {(b if a.unsigned else a).operand}, 0")
    less = verb == "ne" or verb in (("gt", "ge") if a.unsigned else ("lt", "le"))
    return low.op(f"or i1 {negative}, {mixed}") if less else low.op(f"select i1 {negative}, i1 false, i1 {mixed}")


_VERBS: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip


def _decided(verb: str, a: Number, b: Number) -> bool | None:
    match verb:
        case "eq" | "ne":
            apart = a.hi < b.lo or b.hi < a.lo
            same = a.constant is not None and a.constant == b.constant
            return None if not (apart or same) else same == (verb == "eq")
        case "lt" | "ge":
            found = True if a.hi < b.lo else False if a.lo >= b.hi else None
            return found if found is None or verb == "lt" else not found
        case _:
            found = True if a.lo > b.hi else False if a.hi <= b.lo else None
            return found if found is None or verb == "gt" else not found


def negate(low: Lowering, node: ast.AST, a: Number) -> Number:
    """`-a`: of a u64 it wraps."""
    if a.constant is not None:
        return const(-a.constant)
    result = low.op(f"sub i64 0, {a.operand}")
    return unsigned(result, -a.hi, -a.lo) if a.unsigned else signed(result, -a.hi, -a.lo)


def invert(low: Lowering, node: ast.AST, a: Number) -> Number:
    """`~a`: of a u64, all bits turned."""
    if a.constant is not None:
        return const(~a.constant)
    result = low.op(f"xor i64 {a.operand}, -1")
    return unsigned(result, U64_MAX - a.hi, U64_MAX - a.lo) if a.unsigned else signed(result, ~a.hi, ~a.lo)


def absolute(low: Lowering, node: ast.AST, a: Number) -> Number:
    """`abs(a)`; of -2**63 it wraps."""
    if a.constant is not None:
        return const(abs(a.constant))
    if a.lo >= 0:
        return a
    below = low.op(f"icmp slt i64 {a.operand}, 0")
    result = low.op(f"select i1 {below}, i64 {low.op(f'sub i64 0, {a.operand}')}, i64 {a.operand}")
    return signed(result, 0, max(-a.lo, a.hi))


def extreme(low: Lowering, node: ast.AST, op: ast.cmpop, a: Number, b: Number) -> Number:
    """The one of two for which `a op b` holds: min by Lt, max by Gt."""
    if a.constant is not None and b.constant is not None:
        return b if _decided(_VERBS[type(op)], b, a) else a
    as_unsigned = common_unsigned(low, node, a, b)
    result = low.op(f"select i1 {compare(low, node, op, b, a)}, i64 {b.operand}, i64 {a.operand}")
    least = min if isinstance(op, ast.Lt) else max
    return (unsigned if as_unsigned else signed)(result, least(a.lo, b.lo), least(a.hi, b.hi))
