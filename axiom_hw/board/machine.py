"""Which machine this is: from the device tree, from the revision code, or from the firmware of a PC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from axiom_hw.board.models import MODELS, SOCS, Model, model_named

_NEW_STYLE: Final = 1 << 23  # bit 23 of a revision code: the fields below mean something
_CPUINFO: Final = re.compile(r"^Revision\s*:\s*([0-9a-fA-F]+)$", re.MULTILINE)


class KnownBy(Enum):
    """What a machine was known by, best first."""

    COMPATIBLE = "compatible"
    REVISION = "revision code"
    MODEL = "model"
    SOC = "processor"
    FIRMWARE = "firmware"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Found:
    """This machine: what it calls itself, and its row in the table of models, where it has one.

    `memory_mb` is 0 where no revision code says it.
    """

    text: str
    model: Model | None
    by: KnownBy
    compatible: tuple[str, ...] = ()
    revision: int | None = None
    memory_mb: int = 0


def detect(root: Path = Path("/")) -> Found:
    """Read what the machine below `root` says about itself. Never fails: what isn't known is left open."""
    tree = root / "proc/device-tree"
    compatible = tuple(part for part in _text(tree / "compatible").split("\0") if part)
    text = _text(tree / "model").rstrip("\0\n ")
    revision = _revision(root)
    memory = 256 << (revision >> 20 & 7) if revision is not None and revision & _NEW_STYLE else 0
    if not compatible and not text:
        return _without_tree(root)
    model, by = _known(compatible, text, revision)
    return Found(text or compatible[0], model, by, compatible, revision, memory)


def _known(compatible: tuple[str, ...], text: str, revision: int | None) -> tuple[Model | None, KnownBy]:
    for model in MODELS:
        if set(model.compatible) & set(compatible):
            return model, KnownBy.COMPATIBLE
    if revision is not None and revision & _NEW_STYLE:
        kind = revision >> 4 & 0xFF
        for model in MODELS:
            if kind in model.types:
                return model, KnownBy.REVISION
    if text and (named := model_named(text)):
        return named, KnownBy.MODEL
    for soc, name in SOCS:
        if soc in compatible:
            return model_named(name), KnownBy.SOC
    return None, KnownBy.NOTHING


def _without_tree(root: Path) -> Found:
    """A machine whose firmware describes itself by DMI, as PCs and QEMU's do, or not at all, as in a container."""
    dmi = root / "sys/class/dmi/id"
    vendor, product = (_text(dmi / name).strip() for name in ("sys_vendor", "product_name"))
    by = KnownBy.FIRMWARE if vendor else KnownBy.NOTHING
    name = "QEMU" if vendor == "QEMU" else "PC"
    details = product if name == "QEMU" else f"{vendor} {product}".strip()
    return Found(f"{name} ({details})" if details else name, model_named(name), by)


def _revision(root: Path) -> int | None:
    """The revision code: four bytes of the device tree, or a line of cpuinfo (32-bit kernels and old ones)."""
    try:
        raw = (root / "proc/device-tree/system/linux,revision").read_bytes()
    except OSError:
        raw = b""
    if len(raw) == 4:
        return int.from_bytes(raw, "big")
    found = _CPUINFO.search(_text(root / "proc/cpuinfo"))
    return int(found[1], 16) if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # this machine doesn't have it: that is the answer
        return ""
