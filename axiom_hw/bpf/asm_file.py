"""The directives of a `.bpf.s` file: sections, programs, maps and contexts, collected into an object spec."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.asm_code import Block, Line
from axiom_hw.bpf.asm_text import NAME
from axiom_hw.bpf.spec import CtxSpec, FieldKind, MapSpec, MapType, ObjectSpec, ProgramSpec, SpecialField

CtxOf = Callable[[str], CtxSpec]

_DIRECTIVE: Final = re.compile(r"\s*(\.\w+)(?:\s+(.*))?")
_SECTION: Final = re.compile(r'"([^"]+)"(?:\s*,.*)?|([^\s,"]+)(?:\s*,.*)?')
_HEADING: Final = re.compile(r"Disassembly of section (\S+):")
_LABELLED: Final = re.compile(rf"\s*(?:[0-9a-f]{{16}}\s+<)?({NAME})>?:")
_SHARED: Final = ".text"
_LICENSE: Final = "license"  # where clang puts the license, as a labelled string
_LAYOUT_ONLY: Final = frozenset((".file", ".type", ".size", ".p2align", ".ident", ".addrsig", ".addrsig_sym"))
_DATA: Final = (".8byte", ".quad", ".fill")
_KNOWN: Final = (".section", ".text", ".globl", ".global", ".map", ".ctx", ".license", *_DATA)
_MAP_KEYS: Final = ("type", "key", "value", "entries", "flags", "timer", "spin_lock", "work", "inner", "data", "frozen")
_FIELDS: Final = {"timer": FieldKind.TIMER, "spin_lock": FieldKind.SPIN_LOCK, "work": FieldKind.WORK}


@dataclass(slots=True)
class _Section:
    """A section while it is read: its programs by name, in order."""

    name: str
    blocks: dict[str, Block]
    ctx: CtxSpec | None = None


class SourceFile:
    """A file while it is read, line by line."""

    def __init__(self, file: str, ctx_of: CtxOf | None) -> None:
        self._stem = PurePath(file).name.split(".")[0] or "program"
        self._ctx_of = ctx_of
        self._sections: dict[str, _Section] = {}
        self._here: _Section | None = None
        self._block: Block | None = None
        self._globals: set[str] = set()
        self._maps: dict[str, MapSpec] = {}
        self._ctx: CtxSpec | None = None
        self._license = ""

    def add(self, line: Line) -> None:
        """Take one line. Raises `AsmError`."""
        heading = _HEADING.fullmatch(line.code.strip())
        directive = _DIRECTIVE.fullmatch(line.code)
        if heading:
            self._enter(heading[1])
        elif "\tfile format " in line.code:
            return
        elif directive and directive[1] not in _DATA:
            self._directive(line, directive[1], (directive[2] or "").strip())
        else:
            self._code(line)

    def finish(self) -> ObjectSpec:
        """What the lines declare. Raises `AsmError` for names that don't resolve."""
        shared = self._sections.pop(_SHARED, None)
        library = Block()
        for block in shared.blocks.values() if shared else ():
            library.extend(block)
        indices = {name: index for index, name in enumerate(self._maps)}
        maps = tuple(self._maps.values())
        programs = []
        for section in self._sections.values():
            for name, block in section.blocks.items():
                if any(library.defines(wanted) and not block.defines(wanted) for wanted in block.wanted()):
                    block.extend(library)
                code = block.resolve(indices)
                functions = MappingProxyType({0: name, **code.functions})
                ctx = section.ctx or self._ctx or (self._ctx_of(section.name) if self._ctx_of else CtxSpec(0))
                programs.append(
                    ProgramSpec(name, code.insns, maps, ctx, section.name, code.lines, functions, self._license)
                )
        return ObjectSpec(self._stem, tuple(programs), maps, self._license)

    def _enter(self, name: str) -> None:
        self._here = self._sections.setdefault(name, _Section(name, {}))
        self._block = None

    def _code(self, line: Line) -> None:
        if self._here is None:
            self._enter("")
        here = self._here
        assert here is not None
        if here.name == _LICENSE and _LABELLED.fullmatch(line.code):
            return
        label = _LABELLED.match(line.code)
        starts = label is not None and label[1] in self._globals and here.name != _SHARED
        if self._block is None or (starts and self._block.size):
            named = label[1] if label else re.sub(r"\W+", "_", here.name).strip("_") or self._stem
            if any(named in section.blocks for section in self._sections.values()):
                raise line.error(f"a program `{named}` stands above already", "give this one another label")
            self._block = here.blocks.setdefault(named, Block())
        self._block.add(line)

    def _directive(self, line: Line, name: str, rest: str) -> None:
        match name:
            case ".section":
                found = _SECTION.fullmatch(rest)
                if not found:
                    raise line.error("`.section` takes a name", 'as in `.section "gpio/button"`')
                self._enter(found[1] or found[2])
            case ".text":
                self._enter(_SHARED)
            case ".globl" | ".global":
                self._globals.update(name.strip() for name in rest.split(","))
            case ".map":
                spec = _map(line, rest, self._maps)
                if spec.name in self._maps:
                    raise line.error(f"a map `{spec.name}` is declared above already", "give this one another name")
                self._maps[spec.name] = spec
            case ".ctx":
                self._set_ctx(line, rest)
            case ".license":
                self._license = rest.strip('"')
            case ".asciz" if self._here and self._here.name == _LICENSE:
                self._license = rest.strip('"')
            case _ if name not in _LAYOUT_ONLY:
                near = difflib.get_close_matches(name, _KNOWN, n=1)
                fix = f"did you mean `{near[0]}`?" if near else f"the directives are {', '.join(_KNOWN)}"
                raise line.error(f"there is no directive `{name}`", fix)

    def _set_ctx(self, line: Line, rest: str) -> None:
        size, *flags = rest.split() or [""]
        if not size:
            raise line.error("`.ctx` takes the size of the context in bytes", "as in `.ctx 32`")
        if flags not in ([], ["writable"]):
            raise line.error(f"`.ctx` has `{' '.join(flags)}` behind the size", "leave it, or write `writable`")
        ctx = CtxSpec(_number(line, "the size", size), writable=bool(flags))
        if self._here is None:
            self._ctx = ctx
        else:
            self._here.ctx = ctx


def _map(line: Line, rest: str, maps: Mapping[str, MapSpec]) -> MapSpec:
    name, *pairs = rest.split() or [""]
    if not re.fullmatch(NAME, name):
        raise line.error("`.map` takes a name first", "as in `.map counts type=array key=4 value=8 entries=1`")
    given: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if key not in _MAP_KEYS:
            raise line.error(f"a map has no `{key}`", _one_of(key, _MAP_KEYS))
        if key in given or not (equals and value):
            raise line.error(f"`{key}` takes one value", f"as in `{key}=8`")
        given[key] = value
    for key in ("type", "entries"):
        if key not in given:
            raise line.error(f"the map `{name}` has no `{key}`", "as in `type=array key=4 value=8 entries=1`")
    types = {kind.name.lower(): kind for kind in MapType}
    if given["type"] not in types:
        raise line.error(f"there is no map type `{given['type']}`", _one_of(given["type"], types))
    if given.get("frozen", "no") not in ("yes", "no"):
        raise line.error(f"`frozen` is `{given['frozen']}`; it takes yes or no")
    inner = given.get("inner")
    if inner is not None and inner not in maps:
        raise line.error(f"no map `{inner}` is declared above", _one_of(inner, maps))
    numbers = {key: _number(line, f"`{key}`", given.get(key, "0")) for key in ("key", "value", "entries", "flags")}
    return MapSpec(
        name,
        types[given["type"]],
        numbers["key"],
        numbers["value"],
        numbers["entries"],
        numbers["flags"],
        tuple(
            SpecialField(kind, _number(line, f"`{key}`", given[key])) for key, kind in _FIELDS.items() if key in given
        ),
        inner=maps[inner] if inner is not None else None,
        data=_data(line, given["data"]) if "data" in given else None,
        frozen=given.get("frozen") == "yes",
    )


def _one_of(name: str, names: Mapping[str, object] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}" if names else ""


def _data(line: Line, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise line.error(f"`data` is `{text}`, which isn't bytes in hex", "as in `data=01ff00`") from None


def _number(line: Line, what: str, text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 32:
        raise line.error(f"{what} is `{text}`; it takes a number from 0 to {(1 << 32) - 1}")
    return value
