"""Objects that clang builds for BPF, as specs: `load_object` is the one way in.

file.py         the bytes: sections, symbols, relocations
types.py        layouts and special members, from BTF
definition.py   one map's declaration
maps.py         all maps: declared ones, and .data, .bss, .rodata
code.py         the functions
link.py         programs: subprograms behind them, references filled in
"""

from __future__ import annotations

from collections.abc import Callable

from axiom_hw.bpf.btf import Btf
from axiom_hw.bpf.btf_ext import NOTHING, Origins, parse_btf_ext
from axiom_hw.bpf.btf_read import parse_btf
from axiom_hw.bpf.elf.code import read_code
from axiom_hw.bpf.elf.file import ElfFile, read_elf
from axiom_hw.bpf.elf.link import Linker
from axiom_hw.bpf.elf.maps import read_maps
from axiom_hw.bpf.spec import CtxSpec, ObjectSpec
from axiom_hw.errors import ObjectError

__all__ = ["load_object"]


def load_object(data: bytes, name: str, ctx_of: Callable[[str], CtxSpec]) -> ObjectSpec:
    """What an object file declares: its programs, linked, and its maps.

    `name` names the file in errors; `ctx_of` says for a section name what its programs get as context, and may raise
    what it likes for a name that it doesn't know. All programs share one list of maps, so that an index means the
    same map in each. Raises `ObjectError`, and nothing else, for a file that is damaged, for another machine, or
    asks for what isn't supported.
    """
    file = read_elf(data, name)
    btf, origins = _types(file)
    maps = read_maps(file, btf)
    code = read_code(file)
    programs = code.programs()
    if not programs:
        raise ObjectError(
            name, "holds no program: no global function in an executable section",
            'mark the function `SEC("timer/100ms")`, or with the name of another hook, and don\'t make it static',
        )  # fmt: skip
    license = _license(file)
    linker = Linker(file, code, maps, btf, origins)
    return ObjectSpec(name, tuple(linker.link(main, ctx_of, license) for main in programs), maps.specs, license)


def _types(file: ElfFile) -> tuple[Btf | None, Origins]:
    section, more = file.section(".BTF"), file.section(".BTF.ext")
    if section is None or not section.size:
        return None, NOTHING
    btf = parse_btf(section.data, file.place(section))
    if more is None or not more.size:
        return btf, NOTHING
    return btf, parse_btf_ext(more.data, btf, file.place(more))


def _license(file: ElfFile) -> str:
    section = file.section("license")
    return bytes(section.data).partition(b"\0")[0].decode("utf-8", errors="replace") if section else ""
