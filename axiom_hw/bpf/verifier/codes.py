"""The reasons for which a program is refused: stable codes, each explained to its author.

`axiom-hw explain V103` prints a row; tests pin programs to codes; the docs derive from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """One reason: what the verifier couldn't prove, and what usually helps."""

    id: str
    title: str
    why: str
    fix: str


TABLE: Final[tuple[Code, ...]] = (
    # 0xx: the shape of the program
    Code("V001", "not an instruction", "A slot has an opcode or a field that RFC 9669 doesn't define.",
         "Build the program again; if you wrote it by hand, look at the field that the message names."),
    Code("V002", "too short or too long", "A program has at least one instruction and at most a million slots.",
         "Split the program."),
    Code("V003", "jump to nowhere", "A jump or call leaves the program, or lands inside a 64-bit immediate.",
         "Correct the distance; use labels in assembly."),
    Code("V004", "runs off the end", "A path reaches the end of the program, or of a function, without exit.",
         "End every path with exit."),
    Code("V005", "unreachable", "No path reaches this instruction.", "Remove it, or correct the jump before it."),
    Code("V006", "no such map", "A 64-bit immediate names a map that the program doesn't have, or an offset outside "
         "its value.", "Declare the map, or correct the index."),
    Code("V007", "no such helper", "The call's number stands in no row of the helper table.",
         "`axiom-hw helpers` lists them."),
    Code("V008", "not supported yet", "The verifier can't judge this yet, and never accepts what it can't judge.",
         "Use what the message suggests."),
    Code("V009", "a map that can't be made", "The map's type, sizes or flags contradict each other.",
         "Correct the declaration."),
    # 1xx: registers and values
    Code("V101", "not initialised", "A register is read that nothing wrote on this path. Calls clear r1 to r5.",
         "Set it first, or keep the value in r6 to r9 across calls."),
    Code("V102", "r10 is read-only", "r10 is the frame pointer.", "Copy it to another register first."),
    Code("V103", "may be NULL", "The pointer wasn't compared with NULL on this path.",
         "Test it first: `if (!p) return 0;`."),
    Code("V104", "not a pointer", "The program uses a number as an address.",
         "Only pointers that come from the context, the stack, a map or a ring may be followed."),
    Code("V105", "arithmetic that loses the pointer", "Only adding and subtracting a number keeps a pointer a pointer, "
         "and some pointers don't move at all.", "Compute the offset first, then add it once."),
    Code("V106", "a pointer would leak", "An address would reach a map, a record, the context or the caller as a "
         "number.", "Store a number instead."),
    Code("V107", "no result", "r0 is the result of the program and must be a number at exit.",
         "Set r0 before exit."),
    Code("V108", "pointers that don't compare", "Only pointers into the same object, and NULL, can be compared.",
         "Compare offsets instead."),
    # 2xx: memory
    Code("V201", "out of bounds", "The access may touch bytes outside its object.",
         "Compare the index with its limit first."),
    Code("V202", "unbounded offset", "The offset added to a pointer has no known limits here, or this kind of pointer "
         "takes only constant offsets.", "Mask or compare the number on this path before you add it."),
    Code("V203", "misaligned", "The address isn't a multiple of the access size.",
         "Align the field, or read it byte by byte."),
    Code("V204", "reads what nothing wrote", "These bytes of the stack aren't initialised on this path.",
         "Write them first."),
    Code("V205", "read-only", "This memory can't be written, or not read, by programs.",
         "Write to the stack, to a map that isn't read-only, or to a ring record."),
    Code("V206", "a spilled pointer is damaged", "Part of a pointer that was saved on the stack is overwritten or "
         "read.", "Save and restore the whole 8 bytes."),
    Code("V207", "not the start of the object", "The helper wants the pointer exactly as it was handed out.",
         "Keep the original in another register."),
    Code("V208", "no atomics here", "Atomic operations work on the stack, map values and records.",
         "Use a plain store."),
    # 3xx: calls and what they hand out
    Code("V301", "wrong argument", "The helper expects another kind of value in this register.",
         "Look the helper up: `axiom-hw helpers`."),
    Code("V302", "wrong map", "This helper doesn't work on maps of this type.", "Use a map of a type that it takes."),
    Code("V303", "size without limits", "The number of bytes may be zero, negative or larger than the memory.",
         "Compare it with its limits first."),
    Code("V305", "not constant", "The helper wants a number that is known at load time.", "Use a constant."),
    Code("V306", "never released", "A path ends with a ring record neither submitted nor discarded.",
         "Call ringbuf_submit or ringbuf_discard on every path."),
    Code("V307", "not a live record", "The pointer was released already, or never was a record.",
         "Submit or discard each record once."),
    Code("V308", "calls too deep", "At most 8 frames, and no recursion.", "Inline a function."),
    Code("V309", "stack too large", "512 bytes of stack for all frames of a call chain.",
         "Move large buffers to a map."),
    # 4xx: termination and cost
    Code("V401", "too complex", "The verifier followed a million instructions and was not done.",
         "Make loops shorter, or branch less inside them."),
    Code("V402", "never ends", "A loop comes back to where it was with nothing changed.",
         "Count the loop towards a limit."),
    Code("V403", "too slow to judge", "The verifier's time is up.", "Split the program."),
    # 5xx: what Python would raise
    Code("V501", "may divide by zero", "For a divisor of 0 Python raises ZeroDivisionError. A program can't raise, so "
         "it must be proved that this never happens.", "Test the divisor first: `if b == 0: return 0`."),
    Code("V502", "index out of range", "For an index that the array doesn't have Python raises IndexError. A program "
         "can't raise, so it must be proved that this never happens.",
         "Compare the index first: `if i < 4: ...`, or mask it: `i & 3`."),
    Code("V503", "negative shift count", "For a negative count Python raises ValueError. A program can't raise, so it "
         "must be proved that this never happens.", "Mask the count: `n & 63`."),
    Code("V504", "key that may be missing", "For a key that the map doesn't have Python raises KeyError. A program "
         "can't raise, so it must be proved that this never happens.", "Ask first, with `in` or `.get()`."),
    Code("V505", "number that may be None", "For arithmetic with None Python raises TypeError. A program can't raise, "
         "so it must be proved that this never happens.", "Test it first: `if x is None: return 0`."),
)  # fmt: skip

BY_ID: Final = {row.id: row for row in TABLE}

# The code for each row of `helpers.RAISES`, by name.
RAISED: Final = {
    "ZeroDivisionError": "V501",
    "IndexError": "V502",
    "ValueError": "V503",
    "KeyError": "V504",
    "TypeError": "V505",
}
