"""How refusals speak to the author of a program in Python: of names, None and loops, not of registers and NULL.

What the machine saw stays below, in the rows `at`, `knows` and `path`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.spec import SourceLine
from axiom_hw.bpf.verifier.codes import BY_ID
from axiom_hw.bpf.verifier.values import STACK_BYTES


@dataclass(frozen=True, slots=True)
class Wording:
    """A problem and its way out. `{name}` is the expression at fault, or what it stands for where nobody knows."""

    problem: str
    fix: str


_SHORTER: Final = "give each loop a smaller bound: `for i in range(min(n, 100))`"
_TABLE: Final[dict[str, Wording]] = {
    "V103": Wording("{name} may be None here", "test it first: `if {bare} is None: return 0`"),
    "V104": Wording("{name} is None on a path to here", "test it first: `if {bare} is None: return 0`"),
    "V201": Wording("{problem}", "compare the index with the number of elements first: `if i < 4: ...`"),
    "V202": Wording("the index has no known limits here",
                    "compare it with the number of elements first: `if i < 4: ...`"),
    "V306": Wording("{problem}", "reserve it in a `with` block, which submits it on every way out"),
    "V307": Wording("the record was submitted or discarded already", "use it inside its `with` block only"),
    "V309": Wording("{problem}", "keep large structs and arrays in a map"),
    "V401": Wording("a loop here may run too long to be followed to its end: {problem}", _SHORTER),
    "V402": Wording("this loop may never end: it comes back to its start with nothing changed that could end it",
                    "count towards a limit, as in `for i in range(100)`"),
    "V403": Wording("a loop here may run too long to be followed to its end: {problem}", _SHORTER),
}  # fmt: skip
_BELOW: Final = re.compile(r" at offset -\d+ of the stack")  # a known place that no frame has
_NAMELESS: Final = {
    "V501": "a divisor",
    "V502": "an index",
    "V503": "a shift count",
    "V504": "a key",
    "V505": "a number",
}


def speaks_python(code: str, line: SourceLine | None) -> bool:
    """Whether a refusal is told in the words of Python: those of programs in Python, and what Python would raise."""
    return code in _NAMELESS or (line is not None and line.file.endswith(".py"))


def tell(code: str, problem: str, fix: str, about: str, name: str) -> Wording:
    """The same refusal in the words of Python. `name` is the expression at fault, empty where nobody knows it;
    `about` the object, as in "the value of `counts`".
    """
    if code in _NAMELESS:
        if name:
            return Wording(problem.format(name=name), fix.format(name=name))
        return Wording(problem.replace("`{name}`", _NAMELESS[code]), BY_ID[code].fix)
    wording = _TABLE.get(code)
    if wording is None:
        return Wording(problem, fix)
    if code == "V201" and _BELOW.search(problem):
        return Wording(f"this needs more stack than there is, {STACK_BYTES} bytes", _TABLE["V309"].fix)
    if code == "V104" and about != "None":
        return Wording(problem, fix)
    told = wording.problem.format(
        name=f"`{name}`" if name else "this" if about == "None" else about or "this", problem=problem
    )
    if code == "V103" and not name:
        return Wording(told, "give it a name and test that first: `if value is None: return 0`")
    return Wording(told, wording.fix.format(bare=name or "x"))
