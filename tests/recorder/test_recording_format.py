"""The format: what goes in comes out, whatever it is; what is cut or changed is noticed, and told."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from hypothesis import given, settings

from axiom_hw.errors import RecordingError
from axiom_hw.events import HOOKS
from axiom_hw.keys import HookKey
from axiom_hw.recorder.blocks import pack_header
from axiom_hw.recorder.entries import End, Event, Program, RingCount, Stopped, Value, What
from axiom_hw.recorder.header import pack
from axiom_hw.recorder.hook_names import key_of, layout_of
from axiom_hw.recorder.reading import parse_recording, read_recording, told_damage
from axiom_hw.recorder.stream import Stream
from tests.recorder.sessions import HEADER, entries, keys, press, recorded, written
from tests.thorough import tries

PRESSES = [press(1_000_000 * n, n % 2, n) for n in range(1, 13)]


@given(keys())
def test_each_key_is_read_back_from_its_text(key: HookKey) -> None:
    assert key_of(str(key)) == key
    assert layout_of(key).size > 0


def test_every_kind_of_hook_has_a_name_in_recordings() -> None:
    kinds = {kind.__name__.removesuffix("Key").lower() for kind in get_args(HookKey)}
    assert kinds - {"service"} == set(HOOKS), "what a service asks itself is nobody else's affair"


@pytest.mark.thorough
@settings(max_examples=tries(60, 300), deadline=None)
@given(entries())
def test_any_entries_come_back_as_they_were(given_entries: list) -> None:
    with TemporaryDirectory() as directory:
        found = recorded(Path(directory) / "a.axr", given_entries, blocks=3)
    assert list(found.entries) == given_entries
    assert found.damage is None


def test_programs_and_the_end_come_back(tmp_path: Path) -> None:
    program = Program("follow", "gpio/button", "ab", ("gpio/0/line17/rising",), -3, {"presses": "cd"})
    end = End(99, {"presses": "ef"}, {"edges": RingCount(4)})
    found = recorded(tmp_path / "a.axr", [program, *PRESSES, Stopped(98), end])
    assert found.programs == (program,)
    assert found.end == end
    assert (pack(found.header), found.end_ns) == (pack(HEADER), 98)


def test_a_file_cut_at_any_byte_is_read_up_to_its_last_whole_block(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.axr", PRESSES, blocks=4).read_bytes()
    header = len(pack_header(pack(HEADER)))
    lengths = []
    for size in range(len(whole)):
        if size < header:
            with pytest.raises(RecordingError, match=r"is no recording|header"):
                parse_recording(whole[:size], "a.axr")
            continue
        found = parse_recording(whole[:size], "a.axr")
        assert list(found.entries) == PRESSES[: len(found.entries)]
        assert found.damage is not None
        assert found.damage.offset + found.damage.lost_bytes == size
        assert told_damage(found)
        lengths.append(len(found.entries))
    assert sorted(set(lengths)) == [0, 3, 6, 9, 12]
    assert lengths == sorted(lengths)


def test_every_flipped_bit_is_noticed_and_what_is_before_it_stays(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.axr", PRESSES, blocks=4).read_bytes()
    header = len(pack_header(pack(HEADER)))
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        if at < header:
            with pytest.raises(RecordingError, match=r"a\.axr"):
                parse_recording(bytes(changed), "a.axr")
            continue
        found = parse_recording(bytes(changed), "a.axr")
        assert found.damage is not None, at
        assert found.damage.offset <= at, "the place is the block's"
        assert list(found.entries) == PRESSES[: len(found.entries)]


def test_a_damaged_block_in_the_middle_is_told_with_its_place_and_the_events_behind_it(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.axr", PRESSES, blocks=4).read_bytes()
    second = whole.index(b"AXRB", whole.index(b"AXRB") + 1)
    changed = bytearray(whole)
    changed[second + 40] ^= 1
    found = parse_recording(bytes(changed), "a.axr")
    assert found.damage is not None
    assert (found.damage.offset, found.damage.events) == (second, 9)
    assert told_damage(found) == (
        f"a.axr: at byte {second}, the block isn't what was written: its checksum is another; from there on "
        f"{len(whole) - second} bytes, 9 events are lost; 3 events before it are whole"
    )


def test_a_recording_that_was_not_closed_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.axr"
    stream = Stream(str(path), pack_header(pack(HEADER)), interval_s=3600)
    for event in PRESSES:
        stream.add(event)
    stream.flush()
    found = read_recording(str(path))
    stream.close()
    assert list(found.entries) == PRESSES
    assert told_damage(found) == (
        f"{path}: it wasn't closed: the process was killed, or the disk full; it ends after 12 events"
    )


def test_a_disk_that_refuses_only_when_it_is_asked_to_keep_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, told = threading.Event(), []

    def refuse(fd: int) -> None:
        asked.set()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdatasync", refuse)
    stream = Stream(str(tmp_path / "a.axr"), pack_header(pack(HEADER)), interval_s=0.001, on_error=told.append)
    stream.add(press(0, 1, 1))
    assert asked.wait(10)
    stream.close()
    assert [str(error).split("\n")[0] for error in told] == [
        f"{tmp_path}/a.axr: the recording stopped after 1 events: No space left on device (ENOSPC)"
    ]


def test_a_full_disk_ends_the_recording_once_and_counts(tmp_path: Path) -> None:
    told, room = [], 900

    def write(fd: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(room, len(data))
        room -= os.write(fd, data[:taken])
        return taken

    path = tmp_path / "a.axr"
    header = pack_header(pack(HEADER))
    room += len(header)
    stream = Stream(str(path), header, interval_s=3600, on_error=told.append, write=write)
    for n in range(4000):
        stream.add(press(n * n * 7919, n % 2, n + 1))
        if n % 100 == 99:
            stream.flush()
    stream.close()
    found = read_recording(str(path))
    assert len(told) == 1
    assert str(told[0]).startswith(
        f"{path}: the recording stopped after {stream.events} events: No space left on device"
    )
    assert 0 < stream.events < 4000
    assert stream.events + stream.unrecorded == 4000
    assert len(found.events) == stream.events, "half a block was taken back"
    assert found.damage is not None
    assert found.damage.lost_bytes == 0


def test_a_recording_overwrites_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.axr", PRESSES)
    with pytest.raises(RecordingError, match="is there already; a recording overwrites nothing"):
        written(path, PRESSES)
    with pytest.raises(RecordingError, match="can't be written: No such file or directory"):
        written(tmp_path / "nowhere" / "a.axr", [])


@pytest.mark.parametrize(("content", "message"), [
    (b"", "ends after 0 bytes"),
    (b"\x7fELF....", "is no recording"),
    (pack_header(pack(HEADER))[:12], "ends after 12 bytes, in its header"),
    (b"\x89AXR\r\n\x1a\n\x02\x00" + bytes(30), "has version 2 of the format"),
])  # fmt: skip
def test_what_is_no_recording_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        parse_recording(content, "a.axr")


def test_events_take_a_few_bytes(tmp_path: Path) -> None:
    found = recorded(tmp_path / "a.axr", [press(n * 10_007_003 + n * n % 4001, n % 2, n + 1) for n in range(4000)])
    assert found.size_bytes / 4000 < 6


def test_values_of_lines_come_back(tmp_path: Path) -> None:
    values = [Value("gpio/0/line18", What.WRITTEN, n % 2, n, 0) for n in range(5)]
    found = recorded(tmp_path / "a.axr", [*values, PRESSES[0]])
    assert list(found.values) == values
    assert [type(entry) for entry in found.entries[-2:]] == [Value, Event]
