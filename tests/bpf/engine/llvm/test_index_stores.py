"""What is an index and stored too: kept apart in the text, and left alone where there is no such thing."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.engine.llvm.index_stores import kept_apart

HEAD = "define i64 @f(ptr %p, i64 %x) {\nentry:\n  %i = and i64 %x, 8\n  %q = getelementptr i8, ptr %p, i64 %i\n"
TAIL = "  ret i64 0\n}\n"
ASM = '  %kept.apart.0 = call {0} asm "", "=r,0"({0} {1})\n'


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        ("  store i64 %i, ptr %q, align 8", "i64", "%i"),
        ("  store atomic i64 %i, ptr %q monotonic, align 8", "i64", "%i"),
        ("  %o = atomicrmw add ptr %q, i64 %i monotonic, align 8", "i64", "%i"),
        ("  %o = cmpxchg ptr %q, i64 0, i64 %i monotonic monotonic, align 8", "i64", "%i"),
        ("  %t = trunc nuw i64 %i to i8\n  store i8 %t, ptr %q, align 1", "i8", "%t"),
    ],
)
def test_a_value_that_is_an_index_too_goes_through_nothing(line: str, kind: str, value: str) -> None:
    *before, last = line.splitlines(keepends=True)
    expected = last.replace(f"{kind} {value}", f"{kind} %kept.apart.0")
    assert kept_apart(HEAD + line + "\n" + TAIL) == (
        HEAD + "".join(before) + ASM.format(kind, value) + expected + "\n" + TAIL
    )


@pytest.mark.parametrize(
    "line", ["  store i64 %x, ptr %q, align 8", "  store i64 8, ptr %q, align 8", "  %l = load i64, ptr %q, align 8"]
)
def test_what_is_no_index_stays(line: str) -> None:
    assert kept_apart(HEAD + line + "\n" + TAIL) is None


def test_names_of_other_functions_are_other_values() -> None:
    other = "define void @g(ptr %q, i64 %i) {\n  store i64 %i, ptr %q, align 8\n  ret void\n}\n"
    assert kept_apart(HEAD + TAIL + "\n" + other) is None
