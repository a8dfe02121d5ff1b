"""What the library refuses, by the whole message: the place, what is wrong, what to write instead."""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import Any, Final

import pytest

import axiom_hw as hw
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.verifier import Rejected, verify
from tests.bpf.frontend import test_library as names
from tests.bpf.frontend.library import compiled, ring

pytestmark = pytest.mark.llvm

CASES: Final = Path(__file__).with_name("library_refused.txt")
FILE: Final = "program.py"


def told(body: str) -> str:
    """The message for a program of one line, `body`; without the rows that depend on the compiler's version."""
    text = f"def program(ctx: Event) -> int:\n    {body}\n"
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
    scope: dict[str, Any] = {**vars(names), "hw": hw, "untyped": ring("untyped")}
    exec(compile(text, FILE, "exec"), scope)
    try:
        verify(compiled(scope["program"], names.Event))
    except (Refused, Rejected) as refusal:
        return re.sub(r"\n    (at|knows|path) .*", "", str(refusal)) + "\n"
    return "accepted\n"


def cases() -> list[Any]:
    """Body and message of each case: blocks of the file, set apart by empty lines."""
    found = []
    for block in CASES.read_text().split("\n\n"):
        body, _, message = block.partition("\n")
        found.append(pytest.param(body, message.rstrip("\n") + "\n", id=body))
    return found


@pytest.mark.parametrize(("body", "message"), cases())
def test_a_refusal_says_what_to_write(body: str, message: str) -> None:
    assert told(body) == message
