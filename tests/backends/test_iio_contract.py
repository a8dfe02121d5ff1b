"""What every IIO backend keeps to: the real one on a tree with the kernel's rules, and the mock."""

from __future__ import annotations

import errno
import select
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from axiom_hw.adapters.iio_record import NO_STAMP, STAMP, convert_sample, note_scan
from axiom_hw.adapters.iio_state import make_state
from axiom_hw.backends.iio import Capture, Crossing, Sensor, unit_of
from axiom_hw.board.iio import Threshold, Trigger
from axiom_hw.bpf.maps.mem import Mem, load_u64
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge, IioEvent
from axiom_hw.syscalls import PROCESS, address_of
from tests.backends.iio_rigs import PERIOD_NS, MockRig, Rig, SysfsRig, declared


@pytest.fixture(params=[MockRig, SysfsRig])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return request.param(tmp_path)


def decoded(sensor: Sensor, capture: Capture, data: bytes) -> list[tuple[int, int, int]]:
    """Each scan: the raw values of accel_y and accel_x, and its time."""
    state = make_state(0, capture.format, sensor.units, capture.period_ns, one_event=False)
    assert load_u64(state, STAMP) != NO_STAMP
    scan, ctx = Mem(bytearray(capture.format.size)), Mem(bytearray(48))
    found = []
    for at in range(0, len(data), capture.format.size):
        scan.u8[:] = data[at : at + capture.format.size]
        note_scan(PROCESS, address_of(state), address_of(scan), 0)
        events = []
        for channel in range(2):
            convert_sample(PROCESS, address_of(scan), address_of(state), channel, address_of(ctx))
            events.append(IioEvent.unpack(bytes(ctx.u8)))
        found.append((events[0].value, events[1].value, events[0].timestamp_ns))
    return found


def is_readable(part: object) -> bool:
    poll = select.poll()
    poll.register(part, select.POLLIN)
    return bool(poll.poll(0))


def test_values_are_raw_and_units_exact(rig: Rig) -> None:
    rig.set(-5, 300)
    sensor = rig.backend.open(declared(Trigger.NONE))
    assert [sensor.read(0), sensor.read(1)] == [-5, 300]
    assert sensor.units == (unit_of(Fraction("0.0006"), Fraction(10)),) * 2
    assert (sensor.units[0].scale_nano, sensor.units[0].base_nano) == (600_000, 6_000_000)
    sensor.close()
    sensor.close()


@pytest.mark.parametrize("trigger", [Trigger.HRTIMER, Trigger.SYSFS])
def test_scans_come_in_order_with_their_times(rig: Rig, trigger: Trigger) -> None:
    if trigger is Trigger.SYSFS and isinstance(rig, MockRig):
        rig.bench = type(rig.bench)([declared(trigger)], rig.clock, rig.scheduler)
        rig.backend = rig.bench
    sensor = rig.backend.open(declared(trigger))
    capture = sensor.capture()
    assert (capture.period_ns, capture.monotonic) == (PERIOD_NS, True)
    assert capture.read(64) == b""
    assert not is_readable(capture)
    for accel_y, accel_x in ((-1, 100), (2047, -32768)):
        rig.scan(accel_y, accel_x)
        if trigger is Trigger.SYSFS:
            capture.fire()
    assert is_readable(capture)
    assert decoded(sensor, capture, capture.read(64)) == [(-1, 100, PERIOD_NS), (2047, -32768, 2 * PERIOD_NS)]
    assert capture.read(64) == b""
    capture.close()
    capture.close()
    sensor.close()


def test_a_read_takes_no_more_than_it_is_asked_for(rig: Rig) -> None:
    sensor = rig.backend.open(declared())
    capture = sensor.capture()
    for number in range(3):
        rig.scan(number, number)
    assert [len(capture.read(2)) // capture.format.size for _ in range(3)] == [2, 1, 0]
    capture.close()
    sensor.close()


def test_a_buffer_is_one_reader_s(rig: Rig) -> None:
    first, second = rig.backend.open(declared()), rig.backend.open(declared())
    capture = first.capture()
    with pytest.raises(BackendError) as caught:
        second.capture()
    assert caught.value.errno == errno.EBUSY
    assert caught.value.fix
    capture.close()
    second.capture().close()
    first.close()
    second.close()


def test_a_device_that_is_not_there(rig: Rig) -> None:
    with pytest.raises(BackendError) as caught:
        rig.backend.open(replace(declared(), name="other", device="bmp280"))
    assert caught.value.errno == errno.ENODEV
    assert "mpu6050" in str(caught.value)


def test_unplugged_and_back(rig: Rig) -> None:
    sensor = rig.backend.open(declared())
    capture = sensor.capture()
    rig.unplug()
    assert is_readable(capture)
    with pytest.raises(BackendError) as caught:
        capture.read(64)
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(BackendError) as caught:
        sensor.read(0)
    assert caught.value.errno == errno.ENODEV
    capture.close()
    sensor.close()
    with pytest.raises(BackendError) as caught:
        rig.backend.open(declared())
    assert caught.value.errno == errno.ENODEV
    rig.plug()
    again = rig.backend.open(declared())
    capture = again.capture()
    rig.scan(7, 8)
    assert len(capture.read(64)) == capture.format.size
    capture.close()
    again.close()


def test_a_threshold_raises_an_event(rig: Rig) -> None:
    device = declared(Trigger.NONE, thresholds=(Threshold(1, 500, None, 10),))
    if isinstance(rig, MockRig):
        rig.bench = type(rig.bench)([device], rig.clock, rig.scheduler)
        rig.backend = rig.bench
    sensor = rig.backend.open(device)
    crossings = sensor.crossings()
    assert not is_readable(crossings)
    rig.cross()
    assert is_readable(crossings)
    assert crossings.read() == (Crossing(1, Edge.RISING, 2 * PERIOD_NS),)
    assert crossings.read() == ()
    crossings.close()
    crossings.close()
    sensor.close()
