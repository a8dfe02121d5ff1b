"""Native code as assembly, by the BPF instruction that it is for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from axiom_hw.bpf.engine.llvm.jit import assembly
from axiom_hw.bpf.engine.llvm.lift import lift
from axiom_hw.bpf.engine.llvm.locations import Locations
from axiom_hw.bpf.engine.llvm.native import check_maps, has_loops, offers_of
from axiom_hw.bpf.engine.machine import Env
from axiom_hw.bpf.frontend.raw import RawModule
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.verified import Verified

_LOC: Final = re.compile(r"\s+\.loc\s+\d+\s+(\d+)")
_LABEL: Final = re.compile(r"(\.LBB\w+|program|f\d+):")
_COMMENT: Final = re.compile(r"\s*(#|//).*$")

AROUND: Final = -1
"""The pc of code that is for no instruction: entering and leaving the program."""


def native_lines(program: Verified, maps: Sequence[Map], env: Env) -> Mapping[int, tuple[str, ...]]:
    """The assembly of each pc, in the order of its addresses; nothing for a pc that the optimiser left nothing of.

    Code that serves several instructions stands at one of them. `maps` are those that the program declares.
    """
    check_maps(program, maps)
    text = lift(program, maps, RawModule(), offers_of(env), Locations())
    found: dict[int, list[str]] = {}
    pc, label, inside = AROUND, "", False
    for line in assembly(text, program.spec.name, loops=has_loops(program.spec)).splitlines():
        if named := _LABEL.match(line):
            if not named[1].startswith(".LBB"):
                pc, inside = AROUND, True
            label = f"{named[1]}:"
        elif line.startswith(".Lfunc_end"):
            inside = False
        elif location := _LOC.match(line):
            pc = int(location[1]) - 1  # line 0, of code that LLVM made up, is AROUND
        elif inside and line.startswith("\t") and not line.startswith("\t."):
            code = " ".join(_COMMENT.sub("", line).split())
            rows = found.setdefault(pc, [])
            if label:
                rows.append(label)
                label = ""
            if code:
                rows.append(code)
    return {at: tuple(rows) for at, rows in found.items()}
