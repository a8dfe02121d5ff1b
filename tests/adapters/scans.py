"""Devices in memory for the conversion of scans, and an oracle that decodes by Python's own integers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction

from axiom_hw.adapters.iio_state import make_state
from axiom_hw.backends.iio import Unit, unit_of
from axiom_hw.backends.scan_format import ElementType, ScanFormat, lay_out, parse_type
from axiom_hw.bpf.maps.mem import Mem

__all__ = ["TIMESTAMP", "device", "encoded", "lay_out", "micro", "parse_type", "raw_value", "saturated"]

TIMESTAMP = ElementType(False, True, 64, 8)
SCALES = ("0.000598", "1", "0.0625", "0.941176", "-0.5", "0.000000001")  # with 32 bits these fit into 64 of billionths
COARSE = "62.5"  # with up to 24


@dataclass(frozen=True)
class Device:
    """A random device: its format, its units, and its state at the ready."""

    format: ScanFormat
    units: tuple[Unit, ...]
    state: Mem


def device(
    rng: random.Random, *, one_event: bool, period_ns: int = 0, channels: int = 0, steady: bool = False
) -> Device:
    kinds = [element_type(rng) for _ in range(channels or rng.randint(1, 8))]
    format = lay_out(kinds, TIMESTAMP)
    units = tuple(
        unit_of(
            Fraction(rng.choice(SCALES if kind.bits > 24 else (*SCALES, COARSE))),
            Fraction(rng.choice(("0", "12420", "-13.5"))),
        )
        for kind in kinds
    )
    return Device(format, units, make_state(3, format, units, period_ns, one_event=one_event, steady=steady))


def element_type(rng: random.Random) -> ElementType:
    storage = rng.choice((1, 2, 4, 8))
    bits = rng.randint(1, min(8 * storage, 32))
    return ElementType(rng.random() < 0.5, rng.random() < 0.5, bits, storage, 1, rng.randint(0, 8 * storage - bits))


def encoded(format: ScanFormat, raws: list[int], time_ns: int, rng: random.Random) -> bytes:
    """A scan with these raw values; what lies around their bits is noise."""
    data = bytearray(rng.randbytes(format.size))
    for element, raw in zip(format.elements, raws, strict=True):
        kind = element.type
        end = element.offset + kind.storage_bytes
        order = "big" if kind.big_endian else "little"
        noise = int.from_bytes(data[element.offset : end], "little")
        mask = ((1 << kind.bits) - 1) << kind.shift
        data[element.offset : end] = ((noise & ~mask) | (raw << kind.shift & mask)).to_bytes(kind.storage_bytes, order)
    if format.timestamp is not None:
        data[format.timestamp : format.timestamp + 8] = time_ns.to_bytes(8, "little")
    return bytes(data)


def raw_value(kind: ElementType, rng: random.Random) -> int:
    low, high = (-(1 << kind.bits - 1), (1 << kind.bits - 1) - 1) if kind.signed else (0, (1 << kind.bits) - 1)
    return rng.choice((low, high, 0, rng.randint(low, high), rng.randint(low, high)))


def micro(unit: Unit, raw: int) -> int:
    """Exact arithmetic, rounded half up."""
    return (Fraction(raw * unit.scale_nano + unit.base_nano, 1000) + Fraction(1, 2)).__floor__()


def saturated(raw: int) -> int:
    return max(-(1 << 31), min(raw, (1 << 31) - 1))
