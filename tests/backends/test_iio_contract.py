"""What every IIO backend keeps to: the real one on a tree with the kernel's rules and on a kernel, and the mock."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from itertools import pairwise
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
from tests.backends.iio_rigs import PERIOD_NS, MockRig, RealRig, Rig, SysfsRig, wait_readable


@pytest.fixture(params=[MockRig, SysfsRig, pytest.param(RealRig, marks=pytest.mark.real)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return request.param(tmp_path)


def decoded(sensor: Sensor, capture: Capture, data: bytes) -> list[tuple[tuple[int, ...], int]]:
    """Each scan: the raw values of its channels, and its time."""
    state = make_state(0, capture.format, sensor.units, capture.period_ns, one_event=False)
    assert load_u64(state, STAMP) != NO_STAMP
    scan, ctx = Mem(bytearray(capture.format.size)), Mem(bytearray(48))
    found = []
    for at in range(0, len(data), capture.format.size):
        scan.u8[:] = data[at : at + capture.format.size]
        note_scan(PROCESS, address_of(state), address_of(scan), 0)
        events = []
        for channel in range(len(capture.format.elements)):
            convert_sample(PROCESS, address_of(scan), address_of(state), channel, address_of(ctx))
            events.append(IioEvent.unpack(bytes(ctx.u8)))
        found.append((tuple(event.value for event in events), events[0].timestamp_ns))
    return found


def test_values_are_raw_and_units_exact(rig: Rig) -> None:
    device = rig.declared(Trigger.NONE)
    rig.set(-5, 300)
    sensor = rig.backend.open(device)
    assert tuple(sensor.read(channel) for channel in range(len(device.channels))) == rig.of(-5, 300)
    assert sensor.units == (unit_of(*rig.unit),) * len(device.channels)
    sensor.close()
    sensor.close()


@pytest.mark.parametrize("trigger", [Trigger.HRTIMER, Trigger.SYSFS])
def test_scans_come_in_order_with_their_times(rig: Rig, trigger: Trigger) -> None:
    device = rig.declared(trigger)
    rig.set(0, 0)
    sensor = rig.backend.open(device)
    capture = sensor.capture()
    assert (capture.period_ns, capture.monotonic) == (PERIOD_NS, True)
    if rig.exact or trigger is Trigger.SYSFS:
        assert capture.read(64) == b""
        assert not wait_readable(capture, 0)
    found = []
    for values in ((-1, 100), (2047, -32768)):
        rig.scan(*values)
        if trigger is Trigger.SYSFS:
            capture.fire()
        assert wait_readable(capture)
        found += decoded(sensor, capture, capture.read(64))
    times = [time_ns for _, time_ns in found]
    assert times == sorted(set(times))
    if rig.exact:
        assert times == [PERIOD_NS, 2 * PERIOD_NS]
    shown = [found[0][0], *(new for (old, _), (new, _) in pairwise(found) if new != old)]
    assert shown[-2:] == [rig.of(-1, 100), rig.of(2047, -32768)]
    capture.close()
    capture.close()
    sensor.close()


def test_a_read_takes_no_more_than_it_is_asked_for(rig: Rig) -> None:
    device = rig.declared(rig.stepwise)
    sensor = rig.backend.open(device)
    capture = sensor.capture()
    for number in range(3):
        rig.scan(number, number)
        if rig.stepwise is Trigger.SYSFS:
            capture.fire()
            assert wait_readable(capture)
    if not rig.exact:
        time.sleep(0.1)  # the last one is in it
    assert [len(capture.read(2)) // capture.format.size for _ in range(3)] == [2, 1, 0]
    capture.close()
    sensor.close()


def test_a_buffer_is_one_reader_s(rig: Rig) -> None:
    device = rig.declared(Trigger.HRTIMER)
    first, second = rig.backend.open(device), rig.backend.open(device)
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
    device = rig.declared(Trigger.HRTIMER)
    with pytest.raises(BackendError) as caught:
        rig.backend.open(replace(device, name="other", device="mpu9250"))
    assert caught.value.errno == errno.ENODEV
    assert device.device in str(caught.value)


def test_unplugged_and_back(rig: Rig) -> None:
    device = rig.declared(rig.stepwise)
    sensor = rig.backend.open(device)
    capture = sensor.capture()
    capture.check()
    rig.unplug()
    with pytest.raises(BackendError) as caught:
        capture.check()  # the kernel's poll(2) says nothing
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(BackendError) as caught:
        capture.read(64)
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(BackendError) as caught:
        sensor.read(0)
    assert caught.value.errno == errno.ENODEV
    capture.close()
    sensor.close()
    with pytest.raises(BackendError) as caught:
        rig.backend.open(device)
    assert caught.value.errno == errno.ENODEV
    rig.plug()
    again = rig.backend.open(device)
    capture = again.capture()
    rig.scan(7, 8)
    if rig.stepwise is Trigger.SYSFS:
        capture.fire()
    assert wait_readable(capture)
    assert len(capture.read(64)) == capture.format.size
    capture.close()
    again.close()


def test_a_threshold_raises_an_event(rig: Rig) -> None:
    channel = len(rig.of(0, 0)) - 1
    device = rig.declared(Trigger.NONE, (Threshold(channel, 500, None, 10),))
    sensor = rig.backend.open(device)
    crossings = sensor.crossings()
    assert not wait_readable(crossings, 0)
    if not isinstance(rig, RealRig):  # which takes thresholds, but has no wire to tell by
        rig.cross()
        assert wait_readable(crossings, 0)
        assert crossings.read() == (Crossing(1, Edge.RISING, 2 * PERIOD_NS),)
    assert crossings.read() == ()
    crossings.close()
    crossings.close()
    sensor.close()
