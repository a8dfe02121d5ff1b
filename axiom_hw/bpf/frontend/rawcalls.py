"""Calls of C functions from raw ones: what `@extern` declares."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend import signatures
from axiom_hw.bpf.frontend.extern import ATTRIBUTE, Extern
from axiom_hw.bpf.frontend.numbers import IntKind, NoKind, load_scalar, of_scalar, signed
from axiom_hw.bpf.frontend.primitives import Memory, MemoryKind, address
from axiom_hw.bpf.frontend.source import read_source
from axiom_hw.bpf.frontend.values import Kind, Nothing, Value
from axiom_hw.bpf.layout import S32, Scalar

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


@dataclass(frozen=True, slots=True)
class ExternValue(Value):
    """A C function."""

    function: FunctionType
    says: Extern

    def describe(self) -> str:
        return f"C's {self.says.symbol}"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        source = read_source(self.function)
        parameters = [
            (a.arg, low.kind(signatures.meaning(source, a.annotation))) for a in source.node.args.args if a.annotation
        ]
        assert source.node.returns is not None
        result = low.kind(signatures.meaning(source, source.node.returns))
        assert len(parameters) == len(node.args), f"{self.says.symbol} takes {len(parameters)} arguments"
        values = [(argument, low.expression(argument)) for argument in node.args]
        types, passed = [], []
        position = 0
        while position < len(parameters):
            name, kind = parameters[position]
            at, value = values[position]
            position += 1
            if isinstance(kind, MemoryKind):
                pointer = kind.convert(low, at, value)
                if position < len(parameters) and parameters[position][0] == f"{name}_off":
                    where, offset = values[position]
                    pointer = address(low, Memory(pointer), offset.number(low, where))
                    position += 1
                types.append("ptr")
                passed.append(f"ptr {pointer}")
            else:
                assert isinstance(kind, IntKind), f"{name} of {self.says.symbol} is no integer"
                bits = f"i{8 * kind.scalar.size}"
                wide = kind.convert(low, at, value)
                types.append(bits)
                passed.append(f"{bits} {wide if bits == 'i64' else low.op(f'trunc i64 {wide} to {bits}')}")
        return self._emit(low, types, passed, result)

    def _emit(self, low: Lowering, types: list[str], passed: list[str], result: Kind | None) -> Value:
        symbol = self.says.symbol
        given = f"i{8 * result.scalar.size}" if isinstance(result, IntKind) else "void"
        low.module.declarations[symbol] = f"declare {given} @{symbol}({', '.join(types)}) nounwind"
        if not isinstance(result, IntKind):
            assert isinstance(result, NoKind), f"{symbol} gives no integer"
            low.emit(f"call void @{symbol}({', '.join(passed)})")
            return Nothing()
        found = _widen(low, low.op(f"call {given} @{symbol}({', '.join(passed)})"), result.scalar)
        return of_scalar(_with_errno(low, found), result.scalar) if self.says.errno else of_scalar(found, result.scalar)


def _widen(low: Lowering, operand: str, scalar: Scalar) -> str:
    if scalar.size == 8:
        return operand
    return low.op(f"{'s' if scalar.signed else 'z'}ext i{8 * scalar.size} {operand} to i64")


def _with_errno(low: Lowering, result: str) -> str:
    """-errno instead of a result below 0. glibc and musl both give errno's address by this function."""
    low.module.declarations["__errno_location"] = "declare ptr @__errno_location() nounwind"
    slot, failed, end = low.alloca("i64", "result"), low.label("failed"), low.label("end")
    flow = low.flow
    low.emit(f"store i64 {result}, ptr {slot}")
    low.branch(low.op(f"icmp slt i64 {signed(result).operand}, 0"), failed, end)
    low.start(failed, flow)
    number = load_scalar(low, low.op("call ptr @__errno_location()"), S32)
    low.emit(f"store i64 {low.op(f'sub i64 0, {number.operand}')}, ptr {slot}")
    low.start(end, flow)
    return low.op(f"load i64, ptr {slot}")


def extern_value(low: Lowering, found: object) -> Value | None:
    """The resolver of C functions."""
    says = getattr(found, ATTRIBUTE, None)
    if not (isinstance(says, Extern) and isinstance(found, FunctionType)):
        return None
    return ExternValue(found, says)
