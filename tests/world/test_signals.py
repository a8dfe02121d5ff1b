"""What sensors measure: signals in the channel's unit, sums of them, traces of files, and the same in every run."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from axiom_hw.bench import MockBench, signals
from axiom_hw.clock import MS, S
from axiom_hw.events import I2cEvent, IioEvent
from axiom_hw.keys import I2cKey, IioKey
from axiom_hw.recorder.recorder import Recorder
from tests.world.worlds import listen, new, refusal


def accel(bench: MockBench, duration: str, **options: object) -> list[tuple[int, float]]:
    """Times in ms and m/s2 of the samples of accel_x."""
    with bench.runtime(**options) as runtime:
        seen = listen(runtime, IioEvent, IioKey(0, 0))
        bench.advance(duration)
    return [(event.timestamp_ns // MS, event.micro / 1e6) for event in seen]


def test_a_constant_and_a_ramp_arrive_in_the_channels_unit() -> None:
    bench = new()
    bench.sensor("imu/accel_x").constant(9.81)
    bench.after("100ms").sensor("imu/accel_x").ramp(0.0, 10.0, over="100ms")
    found = dict(accel(bench, "300ms"))
    assert found[90] == pytest.approx(9.81, abs=0.0006)  # half a step of the sensor
    assert found[150] == pytest.approx(5.0, abs=0.0006)
    assert found[250] == pytest.approx(10.0, abs=0.0006)


def test_what_follows_in_one_line_is_added() -> None:
    bench = new()
    bench.sensor("imu/accel_x").sine(2.0, period="200ms", offset=1.0).noise(0.05, seed=7)
    found = accel(bench, "10s")
    clean = dict(found)
    assert clean[50] == pytest.approx(3.0, abs=0.3)
    assert clean[150] == pytest.approx(-1.0, abs=0.3)
    rest = [value - signals.sine(2.0, "200ms", 1.0).at(ms * MS) for ms, value in found]
    assert statistics.pstdev(rest) == pytest.approx(0.05, rel=0.1)
    again = new()
    again.sensor("imu/accel_x").sine(2.0, period="200ms", offset=1.0).noise(0.05, seed=7)
    assert accel(again, "10s") == found, "the same in every run"


def test_a_new_line_begins_anew() -> None:
    bench = new()
    bench.sensor("imu/accel_x").constant(3.0)
    bench.sensor("imu/accel_x").constant(1.0)
    assert accel(bench, "20ms")[-1][1] == pytest.approx(1.0, abs=0.0006)


def test_a_part_on_a_bus_follows_a_signal_too() -> None:
    bench = new()
    bench.sensor("climate/temperature").ramp(20.0, 30.0, over="10s")
    with bench.runtime() as runtime:
        seen = listen(runtime, I2cEvent, I2cKey(0, 0))
        bench.advance("8s")
    found = {event.timestamp_ns // S: event.micro / 1e6 for event in seen if not event.status}
    assert found[5] == pytest.approx(25.0, abs=0.02)
    assert found[8] == pytest.approx(28.0, abs=0.02)


def test_a_trace_of_points_of_a_table_and_of_a_recording(tmp_path: Path) -> None:
    bench = new()
    bench.sensor("imu/accel_x").trace([(0, 1.0), ("100ms", 2.0), ("200ms", 2.0)])
    recording = tmp_path / "a.axr"
    found = accel(bench, "300ms", tap=Recorder(str(recording)))
    assert dict(found)[50] == pytest.approx(1.5, abs=0.0006)
    assert dict(found)[290] == pytest.approx(2.0, abs=0.0006)
    table = tmp_path / "a.csv"
    table.write_text("time_ms,accel_x,other\n5,1\n105,2,9\n205,2,9\n")
    for file in (table, recording):
        again = new()
        again.sensor("imu/accel_x").trace(file)
        assert dict(accel(again, "300ms"))[50] == pytest.approx(1.5, abs=0.0012)


def test_traces_that_cant_be_read(tmp_path: Path) -> None:
    probe = new().sensor("imu/accel_x")
    table = tmp_path / "a.csv"
    for text, told in (
        ("t,v\n1,2\n", "names no column of times; it has t, v"),
        ("time_s,v,w\n1,2,3\n", "has no column imu/accel_x; it has v, w"),
        ("time_s,v\n1,x\n", "'1,x' isn't a time and a number"),
        ("time_s,v\n2,1\n1,1\n", "goes back from 0 ns to -1000000000 ns"),
        ("time_s,v\n", "has no points"),
    ):
        table.write_text(text)
        assert told in refusal(lambda: probe.trace(table))
    assert "No such file" in refusal(lambda: probe.trace(tmp_path / "b.csv"))


def test_a_channel_that_isnt_there_and_numbers_that_are_no_durations() -> None:
    bench = new()
    assert refusal(lambda: bench.sensor("imu/accel_z")) == (
        "world.toml: has no channel `imu/accel_z`; it has imu/accel_x, imu/accel_y, cpu/temp1, climate/temperature, "
        "climate/pressure, climate/humidity\n"
        '    fix    a channel is a sensor and a name: bench.sensor("imu/accel_x")'
    )
    assert refusal(lambda: bench.sensor("imu/accel_x").sine(1.0, period=0)) == (
        'period: 0 ns is no duration\n    fix    give more than 0: "2s"'
    )
