"""Pinned maps: files that every process which opens them shares, made so that nobody sees one half made."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from axiom_hw.bpf.maps.create import MEMORY_LIMIT_BYTES, Map, create_map, map_bytes
from axiom_hw.bpf.maps.header import read_header
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.bpf.spec import MapSpec


def pinned_map(spec: MapSpec, path: Path, *, seed: int = 0, limit_bytes: int = MEMORY_LIMIT_BYTES) -> Map:
    """The map in the file `path`, which is made where it is missing; only its owner may open it.

    Raises `MapError` as `create_map` does, and where the file holds another map than `spec` declares.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        size = map_bytes(spec)
        try:
            create_map(spec, Mem.create(draft, min(size, limit_bytes)), seed=seed, limit_bytes=limit_bytes)
            with suppress(FileExistsError):  # somebody else made it meanwhile: then theirs it is
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    mem = Mem.open(path)
    read_header(mem, str(path))  # a file that isn't a map is somebody's
    return create_map(spec, mem, seed=seed, limit_bytes=limit_bytes)
