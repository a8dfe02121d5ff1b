"""Which of several maps a call means: one where the proof knows, else decided at run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from axiom_hw.bpf.engine.llvm.body import Body, Value, text64


def by_number(b: Body, meant: Value, choices: Sequence[tuple[int, int]], each: Callable[[int], Value]) -> Value:
    """`each(choice)` for the choice whose number `meant` is: pairs of number and choice, of which one must match.

    What `each` writes may make blocks; registers that it reads must have been read before.
    """
    if len(choices) == 1:
        return each(choices[0][1])
    if isinstance(meant, int):
        return each(next(choice for number, choice in choices if number == meant))
    arms = [b.fresh("arm") for _ in choices]
    join = b.fresh("join")
    cases = " ".join(f"i64 {number}, label %{arm}" for (number, _), arm in zip(choices[1:], arms[1:], strict=True))
    b.do(f"switch i64 {meant}, label %{arms[0]} [ {cases} ]")
    results: list[str] = []
    for (_, choice), arm in zip(choices, arms, strict=True):
        b.label(arm)
        made = text64(each(choice))
        results.append(f"[ {made}, %{b.here} ]")
        b.do(f"br label %{join}")
    b.label(join)
    return b.op(f"phi i64 {', '.join(results)}")
