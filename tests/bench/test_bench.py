"""The benches run and report; their figures are `make bench`'s business."""

from __future__ import annotations

import os

import pytest

from axiom_hw.bpf.engine.llvm.available import why_not
from tests.bench import dispatch, edge, iio, path, pump, watchers
from tests.bench.__main__ import main
from tests.bench.edge_feed import LINE, EdgeFeed, gpiods_request
from tests.pump_bench import RECORD


def test_dispatch_reports_the_call_and_three_dispatches() -> None:
    rows = dispatch.run(calls=50)
    assert [row.name for row in rows] == [
        "a plain Python call of an empty program",
        "a dispatch to 0 empty programs",
        "a dispatch to 1 empty program",
        "a dispatch to 4 empty programs",
    ]
    assert all(row.value > 0 and row.ratio is not None for row in rows)


def test_path_reports_an_edge_and_an_instruction() -> None:
    rows = path.run(events=40)
    assert [(row.name, row.unit) for row in rows] == [
        ("a plain Python call of an empty function", "ns"),
        ("an edge, from the mock's wire to its record", "ns"),
        ("edges through the whole path", "a second"),
        ("an instruction of the interpreter", "ns"),
    ]
    assert all(row.value > 0 for row in rows)


def test_an_unknown_bench_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dispatsh"]) == 1
    assert capsys.readouterr().err.startswith("dispatsh: no bench of that name; there are: dispatch")


def test_pump_reports_three_sizes_of_reads_both_ways() -> None:
    if why := why_not():
        pytest.skip(why)
    rows = pump.run(reads=3)
    assert [row.name for row in rows] == [
        f"an edge by {way}, {batch} a read" for batch in (1, 16, 64) for way in ("the native pump", "a loop of Python")
    ]
    assert all(row.value > 0 for row in rows)


@pytest.mark.llvm
def test_iio_keeps_the_same_samples_all_ways() -> None:
    rows = iio.run(scans=1000)
    assert {row.name for row in rows} >= {
        "samples by the native pump, a program a sample",
        "samples by the native pump, a program a scan",
        "samples by a loop of Python",
    }
    assert all(row.value > 0 for row in rows)


@pytest.mark.llvm
def test_edge_times_programs_and_callbacks_on_one_feed() -> None:
    rows = edge.run(edges=4, rounds=1)
    ways = {row.name.removeprefix("edge to output, p50: ") for row in rows if "p50" in row.name}
    assert ways >= {"a program, native pump", "a program, interpreter", "os.read, struct"}
    assert len(rows) == 2 * len(ways)
    assert all(row.value > 0 for row in rows)


def test_the_request_that_edges_are_timed_on_is_gpiods_own() -> None:
    gpiod = pytest.importorskip("gpiod")
    feed = EdgeFeed()
    request = gpiods_request(os.dup(feed.ours.fileno()))
    feed.theirs.send(RECORD.pack(123, 1, LINE, 7, 7))
    (event,) = request.read_edge_events()
    assert isinstance(event, gpiod.EdgeEvent)
    assert (event.timestamp_ns, event.line_offset, event.line_seqno) == (123, LINE, 7)
    assert event.event_type is gpiod.EdgeEvent.Type.RISING_EDGE
    request.release()
    feed.close()


def test_watchers_report_what_a_thousand_cost() -> None:
    if why := why_not():
        pytest.skip(why)
    rows = watchers.run(events=4, many=40)
    assert [row.name for row in rows] == [
        "an event, 1 watcher on the stream",
        "an event, 40 watchers on the stream",
        "an event, 40 programs of one watcher each",
        "a condition alone",
        "a condition among 10",
        "a condition among 40",
        "the proof of 40 watchers",
        "their native code, quick and optimised",
    ]
