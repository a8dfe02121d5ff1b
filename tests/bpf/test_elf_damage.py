"""Damaged objects: cut off anywhere, with bits flipped anywhere, the answer is an ObjectError or a spec."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import pytest

from axiom_hw.bpf.elf import load_object
from axiom_hw.bpf.spec import CtxSpec
from axiom_hw.errors import ObjectError
from tests.thorough import some, tries

OBJECTS = Path(__file__).with_name("objects")
pytestmark = pytest.mark.thorough
SAMPLES = ("maps.clang22.o", "calls.clang13.o", "data.clang19-v4.o", "data.clang14.o")


def outcome(data: bytes) -> str:
    """`ok`, or the error's text; any other exception, or an error without a place, fails the test."""
    error = None
    try:
        load_object(data, "x.o", lambda section: CtxSpec(32))
    except ObjectError as caught:
        error = caught
    assert error is None or (error.place.startswith("x.o") and error.problem and error.fix), repr(error)
    return "ok" if error is None else str(error)


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_off_anywhere(name: str) -> None:
    data = (OBJECTS / name).read_bytes()
    assert outcome(data) == "ok"
    # The section headers lie at the end, so that no cut leaves them whole.
    for end in (*range(80), *some(range(80, len(data), 7), 4), len(data) - 1):
        assert outcome(data[:end]) != "ok", f"cut off at byte {end}"


@pytest.mark.parametrize("name", SAMPLES)
def test_flipped_bytes(name: str) -> None:
    data = (OBJECTS / name).read_bytes()
    dice = random.Random(9669)
    refused, times = 0, tries(150, 600)
    for _ in range(times):
        damaged = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 8))):
            damaged[dice.randrange(len(data))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        refused += outcome(bytes(damaged)) != "ok"
    assert refused > times // 12


def test_every_value_of_every_header_byte() -> None:
    data = (OBJECTS / "calls.clang14.o").read_bytes()
    for at in some(range(4, 64), 2):
        for value in (0, 1, 2, 3, 0x40, 0x7F, 0x80, 0xF7, 0xFF):
            outcome(data[:at] + bytes([value]) + data[at + 1 :])


def test_extreme_section_headers() -> None:
    data = (OBJECTS / "maps.clang14.o").read_bytes()
    (start,) = struct.unpack_from("<Q", data, 40)
    for at in some(range(start, len(data) - 8, 4), 3):
        for value in (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 1):
            outcome(data[:at] + struct.pack("<I", value) + data[at + 4 :])


def test_a_huge_bss_is_refused_before_it_is_made() -> None:
    data = bytearray((OBJECTS / "data.clang14.o").read_bytes())
    (start,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    nobits = [start + 64 * i for i in range(count) if struct.unpack_from("<I", data, start + 64 * i + 4) == (8,)]
    assert len(nobits) == 1
    struct.pack_into("<Q", data, nobits[0] + 32, 1 << 40)
    tracemalloc.start()
    try:
        assert "takes 1099511627776 bytes" in outcome(bytes(data))
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_sections_that_share_bytes_are_refused() -> None:
    data = bytearray((OBJECTS / "calls.clang14.o").read_bytes())
    (start,) = struct.unpack_from("<Q", data, 40)
    for i in range(1, 6):
        struct.pack_into("<QQ", data, start + 64 * i + 24, 0, len(data))
    assert "overlap" in outcome(bytes(data)) or "damaged" in outcome(bytes(data))
