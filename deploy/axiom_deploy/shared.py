"""What the laptop shares with the part that runs on the board: how config.txt is marked, and that part as one file."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Final

from axiom_deploy.observing import ON_BOARD

_TEXTS: Final = ("observe.py", "hold.py")  # travel by themselves, in commands
_SHEBANG: Final = b"#!/usr/bin/env python3\n"


def _boot_config() -> ModuleType:
    spec = spec_from_file_location("axiom_on_board_boot_config", ON_BOARD / "boot_config.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_SHARED: Final = _boot_config()
with_block: Final[Callable[[str, str, Sequence[str]], str]] = _SHARED.with_block
without_block: Final[Callable[[str, str], str]] = _SHARED.without_block


def agent() -> bytes:
    """The agent: a zip that Python runs, the same bytes for the same sources. One file is replaced by one rename."""
    out = io.BytesIO()
    out.write(_SHEBANG)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(ON_BOARD.glob("*.py")):
            if path.name not in _TEXTS:
                entry = zipfile.ZipInfo(path.name, (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return out.getvalue()


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()
