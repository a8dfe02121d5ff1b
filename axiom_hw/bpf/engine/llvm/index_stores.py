"""Stores of what is an index too, kept apart from it: LLVM's instruction selector for x86 can't have both as one.

It turns `(x >> 60) & 8` in an address into a scaled index, and forgets that the store beside it was to write that very
value: it reads a node that is gone, and ends the process (X86ISelDAGToDAG.cpp, seen in LLVM 22.1; a fuzzer met it once
in 100,000 programs). So such a value goes through an empty piece of assembly first, which is no instruction.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Final

_VALUE: Final = r'%(?:[\w.$-]+|"[^"\n]*")'
_FUNCTION: Final = re.compile(r"^define .*?^}", re.M | re.S)
_ADDRESS: Final = re.compile(r"\bgetelementptr\b(.*)")
_INDEX: Final = re.compile(rf", i\d+ ({_VALUE})")
_CUT: Final = re.compile(rf"^ *({_VALUE}) = trunc (?:nuw |nsw )*i\d+ ({_VALUE}) to ", re.M)
# What writes memory, with the operands that it writes.
_WRITE: Final = re.compile(rf"^ *(?:store (?:atomic |volatile )*|{_VALUE} = (?:atomicrmw|cmpxchg)\b).*$", re.M)
_WRITTEN: Final = re.compile(rf"\b(i8|i16|i32|i64) ({_VALUE})")


def kept_apart(module: str) -> str | None:
    """The text of an optimised module with such values kept apart; None where it has none."""
    text = _FUNCTION.sub(lambda function: _function(function[0]), module)
    return text if text != module else None


def _function(text: str) -> str:
    indices = {value for address in _ADDRESS.finditer(text) for value in _INDEX.findall(address[1])}
    if not indices:
        return text
    indices |= {cut for cut, value in _CUT.findall(text) if value in indices}
    numbers = count()

    def write(found: re.Match[str]) -> str:
        before: list[str] = []

        def operand(written: re.Match[str]) -> str:
            kind, value = written.groups()
            if value not in indices:
                return written[0]
            kept = f"%kept.apart.{next(numbers)}"
            before.append(f'  {kept} = call {kind} asm "", "=r,0"({kind} {value})\n')
            return f"{kind} {kept}"

        line = _WRITTEN.sub(operand, found[0])
        return "".join(before) + line

    return _WRITE.sub(write, text)
