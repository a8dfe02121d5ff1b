"""Where each channel lies in a scan of an IIO buffer: from the files `scan_elements/*_type` to offsets.

Documentation/ABI/testing/sysfs-bus-iio, `scan_elements/<type>_type`; drivers/iio/industrialio-buffer.c,
`iio_compute_scan_bytes`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_TYPE: Final = re.compile(r"([bl])e:([su])(\d+)/(\d+)(?:X(\d+))?(?:>>(\d+))?")


@dataclass(frozen=True, slots=True)
class ElementType:
    """`[be|le]:[s|u]bits/storagebits[Xrepeat][>>shift]`: how a channel is stored."""

    big_endian: bool
    signed: bool
    bits: int
    storage_bytes: int
    repeat: int = 1
    shift: int = 0

    @property
    def length(self) -> int:
        """Bytes, all repetitions together. It is its alignment, too."""
        return self.storage_bytes * self.repeat


@dataclass(frozen=True, slots=True)
class Element:
    """A number in a scan: `offset` bytes behind its begin."""

    offset: int
    type: ElementType


@dataclass(frozen=True, slots=True)
class ScanFormat:
    """A scan of `size` bytes: its elements in the order in which they were asked for, and the time stamp's offset."""

    size: int
    elements: tuple[Element, ...]
    timestamp: int | None


def parse_type(text: str) -> ElementType:
    """The content of a file `*_type`. Raises `ValueError` for what isn't in the ABI."""
    match = _TYPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()!r} is no type of a scan element, such as le:s16/16>>0")
    endian, sign, bits, storage, repeat, shift = match.groups()
    found = ElementType(
        endian == "b", sign == "s", int(bits), int(storage) // 8, int(repeat or 1) or 1, int(shift or 0)
    )  # fmt: skip
    if int(storage) not in (8, 16, 24, 32, 64) or not 0 < found.bits <= int(storage) - found.shift:
        raise ValueError(f"{text.strip()!r} has {bits} bits, moved by {found.shift}, in {storage}, which don't fit")
    return found


def lay_out(enabled: Sequence[ElementType], timestamp: ElementType | None) -> ScanFormat:
    """The format of a scan of the channels that are `enabled`, in the order of their indices.

    Each is aligned to its own length and the whole to the longest, as by the kernel's ALIGN, which counts on powers
    of 2.
    """
    at, longest, offsets = 0, 1, []
    for kind in (*enabled, *((timestamp,) if timestamp is not None else ())):
        at = _align(at, kind.length)
        offsets.append(at)
        at += kind.length
        longest = max(longest, kind.length)
    elements = tuple(Element(offset, kind) for offset, kind in zip(offsets, enabled, strict=False))
    return ScanFormat(_align(at, longest), elements, offsets[-1] if timestamp is not None else None)


def _align(at: int, length: int) -> int:
    return (at + length - 1) & ~(length - 1)
