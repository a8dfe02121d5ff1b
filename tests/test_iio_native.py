"""A sensor's stream through a whole runtime in real time: the kernel's tree, a pump, a program that becomes native."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.sysfs_iio import SysfsIio
from axiom_hw.board import parse_board
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.layout import s64
from axiom_hw.bpf.maps import ArrayMap, ArrayView, RingBuf, RingReader, create_map
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import MS, MonotonicClock
from axiom_hw.events import ScanEvent, ctx_of
from axiom_hw.keys import ScanKey
from axiom_hw.runtime import Runtime
from axiom_hw.scheduler import Scheduler
from axiom_hw.sources import Devices
from tests.adapters import scans
from tests.backends.fake_iio import ACCEL_TYPES, FakeIio
from tests.bpf.engines import ENGINES
from tests.pump_bench import until

BOARD = parse_board(
    """\
[iio.imu]
device = "mpu6050"
channels = ["accel_x", "accel_y", "accel_z"]
trigger = "own"
rate = "1kHz"
scan = true
""",
    "bench", "bench.toml",
)  # fmt: skip
# Adds up the first axis, and sends each scan through the ring.
PROGRAM = """
    r6 = r1
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[0] ll
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = *(s32 *)(r6 + 24)
    lock *(u64 *)(r0 + 0) += r1
    r1 = map[1] ll
    r2 = r6
    r3 = 120
    r4 = 0
    call ringbuf_output
out:
    r0 = 0
    exit
"""


@pytest.mark.parametrize("engine", [*ENGINES, pytest.param("auto", marks=pytest.mark.llvm)])
def test_every_scan_arrives_once(tmp_path: Path, engine: str) -> None:
    files = FakeIio(tmp_path)
    values = {f"in_{axis}_raw": "0" for axis in ACCEL_TYPES}
    device = files.add(0, "mpu6050", {**values, "in_accel_scale": "0.000598"}, ACCEL_TYPES)
    device.needs_trigger = False
    clock = MonotonicClock()
    gpio = MockGpio.for_board(BOARD, clock, Scheduler(clock))
    devices = Devices(gpio, MockPwm.for_board(BOARD), SysfsIio(files.tree, files))
    specs = (MapSpec("sum", MapType.ARRAY, 4, 8, 1), MapSpec("scans", MapType.RINGBUF, 0, 0, 1 << 20))
    made = tuple(create_map(spec) for spec in specs)
    total, ring = made
    assert isinstance(total, ArrayMap)
    assert isinstance(ring, RingBuf)
    proved = verify(ProgramSpec("add", assemble_insns(PROGRAM), specs, ctx=ctx_of("scan/imu")))
    rng = random.Random(10)
    format = scans.lay_out([scans.parse_type(kind) for _, kind in ACCEL_TYPES.values()], scans.TIMESTAMP)
    sent: list[list[int]] = []
    with Runtime(BOARD, clock, devices, engine=Engine(engine)) as runtime:
        link = runtime.attach(proved, made, "scan/imu")
        until(lambda: device.is_active)
        for burst in (1, 40, 500, 700):
            raws = [[rng.randint(-32768, 32767) for _ in range(3)] for _ in range(burst)]
            files.feed(device, b"".join(
                scans.encoded(format, row, (len(sent) + n + 1) * MS, rng) for n, row in enumerate(raws)
            ))  # fmt: skip
            sent += raws
            until(partial(lambda count: link.runs == count, len(sent)))
        assert runtime.executor.stats_of(ScanKey(0)).events == len(sent)
        assert link.faults == 0
        assert runtime.iio_read(0, 0) == sent[-1][0] * 598
    assert not device.is_active
    records = RingReader(ring, ScanEvent).consume()
    assert [list(record.value[:3]) for record in records] == sent
    assert [record.seqno for record in records] == list(range(1, len(sent) + 1))
    assert ArrayView(total, s64)[0] == sum(row[0] for row in sent)
