"""Debug information as LLVM metadata: what `.BTF` and `.BTF.ext` are made from."""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.layout import Scalar

_C_NAMES: Final = {
    "u8": "unsigned char", "u16": "unsigned short", "u32": "unsigned int", "u64": "unsigned long long",
    "s8": "signed char", "s16": "short", "s32": "int", "s64": "long long",
}  # fmt: skip


class Debug:
    """The metadata of one module. Nodes that are alike are one."""

    def __init__(self, file: str, text: str) -> None:
        self._nodes: dict[str, str] = {}
        self._globals: list[str] = []
        self.texts: dict[str, str] = {}  # of the source files so far, by name
        self._main_file = self.file(file, text)
        self._unit_slot = self._reserve()

    def node(self, text: str) -> str:
        """The number of a node, `!7`."""
        return self._nodes.setdefault(text, f"!{len(self._nodes)}")

    def _reserve(self) -> str:
        number = f"!{len(self._nodes)}"
        self._nodes[f"reserved {number}"] = number
        return number

    def file(self, file: str, text: str) -> str:
        """A source file, with its text, which goes into the object's line information."""
        self.texts[file] = text
        return self.node(f'!DIFile(filename: "{_escaped(file)}", directory: "", source: "{_escaped(text)}")')

    def scalar(self, scalar: Scalar) -> str:
        """An integer type."""
        encoding = "DW_ATE_signed" if scalar.signed else "DW_ATE_unsigned"
        name = _C_NAMES[scalar.name]
        return self.node(f'!DIBasicType(name: "{name}", size: {8 * scalar.size}, encoding: {encoding})')

    def boolean(self) -> str:
        """C's bool."""
        return self.node('!DIBasicType(name: "_Bool", size: 8, encoding: DW_ATE_boolean)')

    def pointer(self, target: str) -> str:
        """A pointer to a type."""
        return self.node(f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: {target}, size: 64)")

    def array(self, element: str, count: int, element_bytes: int) -> str:
        """A fixed array."""
        extent = self.node(f"!{{{self.node(f'!DISubrange(count: {count})')}}}")
        return self.node(
            f"!DICompositeType(tag: DW_TAG_array_type, baseType: {element}, size: {8 * count * element_bytes}, "
            f"elements: {extent})"
        )

    def struct(self, name: str, size: int, members: list[tuple[str, str, int, int]]) -> str:
        """A struct of `size` bytes; a member is its name, type, offset and size in bytes."""
        named = f'name: "{name}", ' if name else ""
        rows = [
            self.node(
                f'!DIDerivedType(tag: DW_TAG_member, name: "{member}", file: {self._main_file}, baseType: {kind}, '
                f"size: {8 * width}, offset: {8 * offset})"
            )
            for member, kind, offset, width in members
        ]
        elements = self.node(f"!{{{', '.join(rows)}}}")
        return self.node(
            f"!DICompositeType(tag: DW_TAG_structure_type, {named}file: {self._main_file}, size: {8 * size}, "
            f"elements: {elements})"
        )

    def subprogram(
        self, file: str, name: str, line: int, result: str, parameters: list[tuple[str, str]], local: bool
    ) -> str:
        """A function; the types of its result and parameters, which have names."""
        types = self.node(f"!{{{', '.join([result, *(kind for _, kind in parameters)])}}}")
        kind = self.node(f"!DISubroutineType(types: {types})")
        flags = "DISPFlagDefinition | DISPFlagOptimized" + (" | DISPFlagLocalToUnit" if local else "")
        scope = f"!{len(self._nodes)}"
        variables = [
            f'!DILocalVariable(name: "{_escaped(n)}", arg: {i}, scope: {scope}, file: {file}, line: {line}, type: {t})'
            for i, (n, t) in enumerate(parameters, 1)
            if t != "null"
        ]
        made = self._reserve()
        assert made == scope
        retained = self.node(f"!{{{', '.join(self.node(v) for v in variables)}}}")
        self._replace(
            made,
            f'distinct !DISubprogram(name: "{_escaped(name)}", scope: {file}, file: {file}, line: {line}, '
            f"type: {kind}, scopeLine: {line}, spFlags: {flags}, unit: {self._unit_slot}, retainedNodes: {retained})",
        )
        return made

    def variable(self, name: str, kind: str, line: int = 0) -> str:
        """A global variable: what `!dbg` of its definition refers to."""
        var = self._reserve()
        self._replace(
            var,
            f'distinct !DIGlobalVariable(name: "{_escaped(name)}", scope: {self._unit_slot}, file: {self._main_file}, '
            f"line: {line}, type: {kind}, isLocal: false, isDefinition: true)",
        )
        expression = self.node(f"!DIGlobalVariableExpression(var: {var}, expr: !DIExpression())")
        self._globals.append(expression)
        return expression

    def location(self, scope: str, line: int, column: int) -> str:
        """A place in a function."""
        return self.node(f"!DILocation(line: {line}, column: {min(column, 1023)}, scope: {scope})")

    def lines(self) -> list[str]:
        """The metadata of the module, as text."""
        found = self.node(f"!{{{', '.join(self._globals)}}}")
        self._replace(
            self._unit_slot,
            f'distinct !DICompileUnit(language: DW_LANG_C99, file: {self._main_file}, producer: "axiom_hw", '
            f"isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug, globals: {found})",
        )
        flags = [self.node('!{i32 2, !"Debug Info Version", i32 3}'), self.node('!{i32 7, !"Dwarf Version", i32 4}')]
        rows = [f"{number} = {text}" for text, number in self._nodes.items()]
        return [f"!llvm.dbg.cu = !{{{self._unit_slot}}}", f"!llvm.module.flags = !{{{', '.join(flags)}}}", *rows]

    def _replace(self, number: str, text: str) -> None:
        self._nodes = {text if n == number else t: n for t, n in self._nodes.items()}


def _escaped(text: str) -> str:
    """As LLVM writes strings: anything that isn't plain ASCII as two hex digits a byte."""
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02X}" for b in text.encode())
