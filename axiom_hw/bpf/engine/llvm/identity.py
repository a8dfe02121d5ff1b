"""The digest of all that a program's code depends on: two programs of one digest have the same code.

That is what the program says, the geometry of its maps, what its environment offers, the processor, the compiler, and
this package: its own sources stand for the verifier, the lifting, the map operations and the layout of run states.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.engine.llvm.code import Code
from axiom_hw.bpf.engine.llvm.jit import compile_ir
from axiom_hw.bpf.engine.llvm.target import host
from axiom_hw.bpf.engine.llvm.unit import Offers
from axiom_hw.bpf.insn import Insn, encode
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.spec import MapSpec, ProgramSpec

_PACKAGE: Final = Path(__file__).parents[3]
_BYTES: Final = 24


def program_key(spec: ProgramSpec, maps: Sequence[Map], offers: Offers) -> bytes:
    """The digest of one program over maps of these geometries."""
    code = _bytes_of(spec.insns)
    ctx = spec.ctx
    about: list[object] = [len(code), ctx.size, ctx.writable, ctx.length_in_r2]
    for live, declared in zip(maps, spec.maps, strict=True):
        other = None if live.spec is declared else _declaration(declared)
        about += (_declaration(live.spec), live.mem.size, live.g, other)
    about += (sorted(offers.hardware), offers.monotonic, _sources(offers.natives))
    return blake2b(b"".join((_process_key(), repr(about).encode(), code)), digest_size=_BYTES).digest()


_packed: Final[dict[int, tuple[tuple[Insn, ...], bytes]]] = {}  # by `id` of the instructions, which it keeps alive
_PACKED_KEPT: Final = 64


def _bytes_of(insns: tuple[Insn, ...]) -> bytes:
    """The bytes of a program, packed once however often it is loaded. Synchronization: any thread."""
    known = _packed.get(id(insns))
    if known is not None and known[0] is insns:
        return known[1]
    code = encode(insns)
    if len(_packed) >= _PACKED_KEPT:
        _packed.clear()
    _packed[id(insns)] = (insns, code)
    return code


def _declaration(spec: MapSpec) -> tuple[object, ...]:
    """What the proof, and so the code, relies on; of a map that nobody writes, the content too."""
    sizes = (int(spec.type), spec.key_size, spec.value_size, spec.max_entries, spec.flags)
    return (*sizes, spec.frozen, spec.pinned, spec.data if spec.frozen else None)


def text_key(text: str) -> bytes:
    """The digest of a module that is given as text."""
    return blake2b(_process_key() + text.encode(), digest_size=_BYTES).digest()


def compiled_text(text: str, place: str, cache: Cache | None) -> Code:
    """The code of a module that is given as text: from the cache, or made now and kept there."""
    if cache is None:
        return compile_ir(text, place)
    key = text_key(text)
    code = cache.get(key)
    if code is None:
        code = compile_ir(text, place)
        cache.put(key, code)
    return code


@functools.cache
def _process_key() -> bytes:
    python = f"{sys.implementation.cache_tag} {sys.hexversion >> 16:x}"
    found = blake2b(f"{host().identity}\n{python}\n".encode(), digest_size=_BYTES)
    for path in sorted(_PACKAGE.rglob("*.py")):
        found.update(f"{path.relative_to(_PACKAGE)}\n".encode())
        found.update(path.read_bytes())
    return found.digest()


def _sources(natives: Mapping[int, Callable[..., int]]) -> list[tuple[int, str, str, bytes]]:
    rows = [(id, f.__module__, f.__qualname__, _module_digest(f.__module__)) for id, f in natives.items()]
    return sorted(rows)


@functools.cache
def _module_digest(name: str) -> bytes:
    """Of a module's source; this package's are in the process's key already."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return blake2b(Path(file).read_bytes(), digest_size=_BYTES).digest() if file else b""
