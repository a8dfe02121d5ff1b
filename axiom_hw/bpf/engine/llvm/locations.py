"""Debug locations in a lifted program, for listings: the line of an instruction is its pc + 1.

Metadata of LLVM (LangRef, "Specialized Metadata Nodes"): a compile unit, a subprogram a function, a location a pc.
"""

from __future__ import annotations

from typing import Final

_FIRST: Final = 500_000  # above all other metadata of the module
_FILE, _UNIT, _FLAGS, _TYPE = _FIRST, _FIRST + 1, _FIRST + 2, _FIRST + 3
_FREE: Final = _FIRST + 4


class Locations:
    """Collects the metadata of one module while its functions are written."""

    def __init__(self) -> None:
        self._nodes: list[str] = []

    def scope(self, name: str, start: int) -> int:
        """The number of a function's node, which its definition names as `!dbg !<number>`."""
        return self._node(
            f'distinct !DISubprogram(name: "{name}", scope: !{_FILE}, file: !{_FILE}, line: {start + 1}, '
            f"type: !{_TYPE}, spFlags: DISPFlagDefinition, unit: !{_UNIT})"
        )

    def mark(self, lines: list[str], first: int, scope: int, pc: int) -> None:
        """Give the instructions in `lines[first:]` the location of `pc`."""
        if first == len(lines):
            return
        location = self._node(f"!DILocation(line: {pc + 1}, scope: !{scope})")
        for at in range(first, len(lines)):
            if lines[at].startswith("  ") and not lines[at].endswith("["):  # no label
                lines[at] += f", !dbg !{location}"

    def metadata(self) -> str:
        """What the module ends with."""
        fixed = (
            f"!llvm.dbg.cu = !{{!{_UNIT}}}",
            f"!llvm.module.flags = !{{!{_FLAGS}}}",
            f'!{_FILE} = !DIFile(filename: "program", directory: ".")',
            f"!{_UNIT} = distinct !DICompileUnit(language: DW_LANG_C99, file: !{_FILE}, emissionKind: LineTablesOnly)",
            f'!{_FLAGS} = !{{i32 2, !"Debug Info Version", i32 3}}',
            f"!{_TYPE} = !DISubroutineType(types: !{{}})",
        )
        return "\n".join((*fixed, *self._nodes, ""))

    def _node(self, text: str) -> int:
        number = _FREE + len(self._nodes)
        self._nodes.append(f"!{number} = {text}")
        return number
