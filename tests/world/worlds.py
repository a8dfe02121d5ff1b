"""A board with one of everything, and a program that counts what comes in on a hook."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from axiom_hw.bench import MockBench
from axiom_hw.board import parse_board
from axiom_hw.bpf.layout import Struct
from axiom_hw.errors import AxiomError
from axiom_hw.keys import HookKey
from axiom_hw.runtime import Runtime

BOARD = parse_board(
    """
    [chip.header]
    label = "pinctrl-rp1"
    [pwm_chip.header]
    device = "1f00098000.pwm"
    [input.encoder_a]
    line = 5
    [input.encoder_b]
    line = 6
    [input.button]
    line = 17
    bias = "pull-up"
    active_low = true
    debounce = "5ms"
    [input.limit]
    line = 22
    bias = "pull-up"
    active_low = true
    [output.led]
    line = 18
    safe = "low"
    [output.heater]
    line = 27
    active_low = true
    safe = "high"
    [output.fan]
    channel = 0
    period = "1ms"
    safe = "off"
    [output.wheel]
    kind = "motor"
    channel = 1
    direction = 23
    period = "50us"
    max_duty = "50us"
    safe = "off"
    [iio.imu]
    device = "mpu6050"
    channels = ["accel_x", "accel_y"]
    rate = "100Hz"
    trigger = "own"
    length = 8
    [hwmon.cpu]
    device = "cpu_thermal"
    channels = ["temp1"]
    rate = "1s"
    [i2c_bus.one]
    path = "/dev/i2c-1"
    [sensor.climate]
    driver = "bme280"
    address = 0x76
    rate = "1s"
    [serial.gps]
    port = "/dev/ttyAMA0"
    baud = 9600
    """,
    "world", "world.toml",
)  # fmt: skip


class Listener:
    """A program in Python's place: keeps the contexts of a hook. Synchronization: one thread."""

    worst_case_insns = 1
    name = "listener"

    def __init__(self, event: type) -> None:
        self._event: type[Struct] = event
        self.seen: list = []

    def run(self, ctx: bytes, slot: int) -> int:
        self.seen.append(self._event.unpack(ctx))
        return 0


def listen(runtime: Runtime, event: type, *keys: HookKey) -> list:
    """The events that come on these hooks, as they come."""
    listener = Listener(event)
    runtime.registry.attach(listener, *keys)  # type: ignore[arg-type]
    return listener.seen


def new() -> MockBench:
    return MockBench(BOARD)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(AxiomError) as refused:
        call()
    return str(refused.value)
