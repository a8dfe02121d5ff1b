"""Scans to events: every format of the ABI, exact, and the same by plain Python and by native code."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from axiom_hw.adapters import iio_record as record
from axiom_hw.bpf.maps.mem import Mem, load_u64
from axiom_hw.events import IioEvent, ScanEvent
from axiom_hw.syscalls import PROCESS, address_of
from tests.adapters import scans

Convert = Callable[[int], int]


def one(m: Mem, at: int) -> int:
    """Words at `at`: record, state, channel (256 is the whole scan), ctx, now. In the subset of native code."""
    scan = load_u64(m, at)
    state = load_u64(m, at + 8)
    channel = load_u64(m, at + 16)
    ctx = load_u64(m, at + 24)
    if channel == 0 or channel == 256:
        record.note_scan(m, state, scan, load_u64(m, at + 32))
    if channel < 256:
        record.convert_sample(m, scan, state, channel, ctx)
    else:
        record.convert_scan(m, scan, state, ctx)
    return 0


def plain() -> Convert:
    return lambda at: one(PROCESS, at)


def native() -> Convert:
    from axiom_hw.bpf.engine.llvm.raw_code import RawCode

    return RawCode(one)


class Desk:
    """Memory for one conversion."""

    def __init__(self, convert: Convert) -> None:
        self.convert = convert
        self.scan, self.ctx, self.call = Mem(bytearray(256)), Mem(bytearray(128)), Mem(bytearray(40))

    def run(self, state: Mem, data: bytes, channel: int, now_ns: int = 0) -> bytes:
        self.scan.u8[: len(data)] = data
        words = (address_of(self.scan), address_of(state), channel, address_of(self.ctx), now_ns)
        for number, word in enumerate(words):
            self.call.u64[number] = word
        self.convert(address_of(self.call))
        return bytes(self.ctx.u8)


@pytest.fixture(params=["plain", pytest.param("native", marks=pytest.mark.llvm)])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(plain() if request.param == "plain" else native())


def test_every_format_of_a_sample(desk: Desk) -> None:
    rng = random.Random(4)
    for step in range(400):
        device = scans.device(rng, one_event=False)
        raws = [scans.raw_value(element.type, rng) for element in device.format.elements]
        data = scans.encoded(device.format, raws, 1_000 + step, rng)
        for channel, (raw, unit) in enumerate(zip(raws, device.units, strict=True)):
            event = IioEvent.unpack(desk.run(device.state, data, channel)[: record.IIO_BYTES])
            expected = IioEvent(
                timestamp_ns=1_000 + step, device_id=3, channel=channel, value=scans.saturated(raw), scale=unit.scale,
                offset=unit.offset, reserved=0, seqno=1, lost=0, micro=scans.micro(unit, raw),
            )  # fmt: skip
            assert event == expected, f"step {step}: {device.format.elements[channel]}"


def test_every_format_of_a_scan(desk: Desk) -> None:
    rng = random.Random(5)
    for step in range(200):
        device = scans.device(rng, one_event=True)
        raws = [scans.raw_value(element.type, rng) for element in device.format.elements]
        event = ScanEvent.unpack(
            desk.run(device.state, scans.encoded(device.format, raws, 77, rng), 256)[: record.SCAN_BYTES]
        )
        padding = [0] * (8 - len(raws))
        assert list(event.value) == [scans.saturated(raw) for raw in raws] + padding, f"step {step}"
        assert list(event.micro) == [scans.micro(u, raw) for u, raw in zip(device.units, raws, strict=True)] + padding
        assert (event.timestamp_ns, event.device_id, event.count, event.seqno) == (77, 3, len(raws), 1)


@pytest.mark.parametrize(
    ("times", "lost"),
    [
        ((100, 200, 300), (0, 0, 0)),
        ((100, 274, 300), (0, 0, 0)),  # three quarters of a period late, and then in time
        ((100, 276, 400), (0, 1, 0)),
        ((100, 260, 340, 400), (0, 0, 0, 0)),
        ((100, 260, 400, 500), (0, 0, 1, 0)),  # late, and one lost behind it: less than two periods
        (tuple(range(100, 5000, 115)), (0,) * 43),  # a clock of the sensor's own, slow by 15 % ...
        (tuple(range(100, 5000, 88)), (0,) * 56),  # ... fast by 12
        ((100, 188, 276, 452, 540), (0, 0, 0, 1, 0)),
        ((100, 300, 400), (0, 1, 0)),
        ((100, 1090, 1200), (0, 9, 0)),
        ((100, 90, 190), (0, 0, 0)),  # a clock that runs backwards tells nothing
    ],
)
def test_gaps_in_the_time_stamps_are_losses(desk: Desk, times: tuple[int, ...], lost: tuple[int, ...]) -> None:
    losses(desk, times, lost, steady=False)


@pytest.mark.parametrize(
    ("times", "lost"),
    [
        ((100, 293, 300, 492, 500), (0,) * 5),  # nearly a period late: the timer skips none
        ((100, 300, 400), (0, 1, 0)),
        ((100, 293, 400, 500), (0, 0, 1, 0)),  # less than two periods, and yet one is lost
        ((190, 200, 300, 500), (0, 0, 0, 1)),  # the first was late
        (tuple(range(1000, 90000, 101)), (0,) * 882),  # a rate that was rounded
    ],
)
def test_a_timer_s_scans_may_be_late_by_nearly_a_period(
    desk: Desk, times: tuple[int, ...], lost: tuple[int, ...]
) -> None:
    losses(desk, times, lost, steady=True)


def losses(desk: Desk, times: tuple[int, ...], lost: tuple[int, ...], *, steady: bool) -> None:
    rng = random.Random(6)
    device = scans.device(rng, one_event=True, period_ns=100, channels=2, steady=steady)
    found, seqno = [], 0
    for time_ns in times:
        data = scans.encoded(device.format, [0, 0], time_ns, rng)
        event = ScanEvent.unpack(desk.run(device.state, data, 256)[: record.SCAN_BYTES])
        assert event.seqno == seqno + event.lost + 1
        seqno = event.seqno
        found.append(event.lost)
    assert tuple(found) == lost
    assert load_u64(device.state, record.LOST) == sum(lost)
    assert load_u64(device.state, record.RECEIVED) == len(times)
