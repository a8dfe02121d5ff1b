"""Records out of bytes: however the stream is cut, the same records, and every byte accounted for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_hw.adapters.serial_records import (
    Framer,
    Record,
    cobs_decode,
    cobs_encode,
    framer_of,
    nmea_valid,
    with_crc,
)
from axiom_hw.board.serial import RECORD_MAX, Checksum, Framing, SerialPort

PORT = SerialPort("p", "/dev/x", None, 9600)
COBS, COBS_CRC = replace(PORT, framing=Framing.COBS), replace(PORT, framing=Framing.COBS, checksum=Checksum.CRC16)
SYNC = replace(PORT, framing=Framing.FIXED, size=8, sync=b"\xaa\x55", checksum=Checksum.CRC16)
FIXED = replace(PORT, framing=Framing.FIXED, size=3)
NMEA = replace(PORT, checksum=Checksum.NMEA)
KINDS = {"line": PORT, "nmea": NMEA, "cobs": COBS, "cobs crc": COBS_CRC, "fixed": FIXED, "sync crc": SYNC}
BAD = b"$GPRMC,130000.00,V,,,,,,,221126,,,N*00"


def fed(framer: Framer, *pieces: bytes) -> list[tuple[bytes, int]]:
    return [(record.data, record.lost) for piece in pieces for record in framer.feed(piece)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_however_a_stream_is_cut_the_records_are_the_same(kind: str, data: st.DataObject) -> None:
    interesting = st.sampled_from([0, 1, 2, 10, 13, 36, 42, 0x55, 0xAA, 0xFF, 65])
    stream = bytes(data.draw(st.lists(interesting | st.integers(0, 255), max_size=300)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, cut = framer_of(KINDS[kind]), framer_of(KINDS[kind])
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed(cut, *pieces) == fed(whole, stream)
    assert cut.lost == whole.lost


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["fixed", "sync crc"]), st.binary(max_size=300))
def test_every_byte_of_fixed_records_is_a_records_or_lost_or_waits(kind: str, stream: bytes) -> None:
    framer = framer_of(KINDS[kind])
    records = list(framer.feed(stream))
    taken = sum(KINDS[kind].size for _ in records) + framer.lost
    assert 0 <= len(stream) - taken < KINDS[kind].size
    assert sum(record.lost for record in records) <= framer.lost


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=120), max_size=6))
def test_every_byte_of_lines_is_a_records_or_lost(lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b"-").replace(b"\r", b"_") for line in lines]
    framer = framer_of(PORT)
    records = list(framer.feed(b"".join(line + b"\n" for line in lines)))
    assert [record.data for record in records] == [line for line in lines if len(line) <= RECORD_MAX]
    assert framer.lost == sum(len(line) for line in lines if len(line) > RECORD_MAX)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_cobs_there_and_back(data: bytes) -> None:
    frame = cobs_encode(data)
    assert 0 not in frame
    assert len(frame) <= len(data) + 1 + len(data) // 254
    assert cobs_decode(frame) == data


@pytest.mark.parametrize(("data", "frame"), [
    (b"", "01"), (b"\0", "0101"), (b"\0\0", "010101"), (b"\x11\x22\x00\x33", "0311220233"),
    (bytes(range(1, 255)), "ff" + bytes(range(1, 255)).hex()),
    (bytes(range(255)), "01ff" + bytes(range(1, 255)).hex()),
    (bytes(range(1, 256)), "ff" + bytes(range(1, 255)).hex() + "02ff"),
])  # fmt: skip
def test_cobs_of_the_paper(data: bytes, frame: str) -> None:
    assert cobs_encode(data).hex() == frame


def test_what_cobs_never_makes_is_damaged() -> None:
    assert cobs_decode(b"\x05\x11\x22") is None
    framer = framer_of(COBS)
    assert fed(framer, b"\x05\x11\x22\x00\x02A\x00") == [(b"A", 3)]


def test_lines_end_in_lf_or_cr_lf_and_empty_ones_are_none() -> None:
    assert fed(framer_of(PORT), b"a\r\n\r\n\nb\nc") == [(b"a", 0), (b"b", 0)]


def test_the_longest_line_fits_with_its_cr_and_one_byte_more_doesnt() -> None:
    framer = framer_of(PORT)
    assert fed(framer, b"x" * 96 + b"\r\n") == [(b"x" * 96, 0)]
    assert fed(framer, b"y" * 97 + b"\n", b"z\n") == [(b"z", 97)]
    assert fed(framer, b"y" * 5000, b"y" * 5000 + b"\n", b"z\n") == [(b"z", 10_000)]


def test_a_damaged_sentence_is_dropped_and_counted_in_the_next() -> None:
    framer = framer_of(NMEA)
    good = b"$PX*08"
    assert fed(framer, BAD + b"\r\n" + good + b"\r\n") == [(good, len(BAD) + 1)]


@pytest.mark.parametrize(("line", "valid"), [
    (b"$PX*08", True), (b"!PX*08", True), (b"$PX*09", False), (b"PX*08", False), (b"$PX", False), (b"$PX*8", False),
    (b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47", True),
    (b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*4c", False), (b"*00", False),
])  # fmt: skip
def test_nmea_checksums(line: bytes, valid: bool) -> None:
    assert nmea_valid(line) is valid


def test_crc_is_ccitt_false() -> None:
    assert with_crc(b"123456789")[-2:].hex() == "29b1"
    framer = framer_of(COBS_CRC)
    good = cobs_encode(with_crc(b"hello")) + b"\0"
    bad = cobs_encode(with_crc(b"hello")[:-1] + b"?") + b"\0"
    assert fed(framer, bad + good) == [(b"hello", 8)]


def test_fixed_records_find_their_start_again() -> None:
    one, two = with_crc(b"\xaa\x55abcd"), with_crc(b"\xaa\x55\xaa\x55zz")
    framer = framer_of(SYNC)
    assert fed(framer, b"noise\xaa", b"\x55ab" + one, two) == [(b"\xaa\x55abcd", 9), (b"\xaa\x55\xaa\x55zz", 0)]


def test_a_gap_drops_what_had_begun_and_what_goes_on_behind_it() -> None:
    framer = framer_of(PORT)
    assert fed(framer, b"12") == []
    framer.gap(7)
    assert fed(framer, b"34\n56\n") == [(b"56", 2 + 7 + 2)]
    framer.gap(0)
    framer.fresh()
    assert fed(framer, b"78\n") == [(b"78", 0)]


def test_records_are_values() -> None:
    assert list(framer_of(FIXED).feed(b"abcdefg")) == [Record(b"abc", 0), Record(b"def", 0)]
