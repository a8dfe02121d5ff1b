"""The kernel's own drivers behind i2c-stub, through adapter, program and ring; and devices that go away meanwhile."""

from __future__ import annotations

from axiom_hw.board import Board, parse_board
from axiom_hw.bpf.maps import RingBuf, RingReader
from axiom_hw.events import I2cEvent, IioEvent
from axiom_hw.runtime import Runtime
from tests.backends.iio_rigs import RealRig
from tests.programs import ready
from tests.twin.inside.bench import real_runtime, until

PASS_ON = """
.map seen type=ringbuf entries=262144
.section "{section}"
{name}:
    r2 = r1
    r1 = map[seen] ll
    r3 = {size}
    r4 = 0
    call ringbuf_output
    r0 = 0
    exit
"""


def board(text: str) -> Board:
    return parse_board(text, "sensors", "tests/twin/inside/test_sensors.py")


def attach(runtime: Runtime, size: int, *sections: str) -> RingReader:
    """A program that passes each event on; what it passed."""
    program = ready(PASS_ON.replace("{size}", str(size)), sections[0])
    (ring,) = program.maps
    assert isinstance(ring, RingBuf)
    for section in sections:
        runtime.attach(program.verified, program.maps, section)
    return RingReader(ring)


class Seen:
    """Events as they come out of a ring."""

    def __init__(self, reader: RingReader, layout: type) -> None:
        self._reader = reader
        self._layout = layout
        self.events: list = []

    def at_least(self, count: int) -> bool:
        self.events += [self._layout.unpack(bytes(record)) for record in self._reader.consume()]
        return len(self.events) >= count


def test_the_data_sheet_s_registers_give_its_temperature_and_pressure() -> None:
    baro = board("""
        [iio.baro]
        device = "bmp280"
        channels = ["temp", "pressure"]
        rate = "10Hz"
    """)
    with real_runtime(baro) as runtime:
        seen = Seen(attach(runtime, 48, "iio/baro/temp", "iio/baro/pressure"), IioEvent)
        runtime.start()
        until(lambda: seen.at_least(4))
    temperatures = {event.micro for event in seen.events if event.channel == 0}
    pressures = {event.micro for event in seen.events if event.channel == 1}
    assert temperatures == {25_080_000_000}  # millionths of the kernel's m°C: 25.08 °C
    assert pressures == {100_653_000}  # as many of a kPa: the driver's last digits are those of its own arithmetic


ADC = """
    [iio.adc]
    device = "ads1015"
    channels = ["voltage0"]
    rate = "100Hz"
    trigger = "hrtimer"
    watermark = 10
    length = 200
"""


def test_a_sensor_that_was_removed_is_told_and_read_again_when_it_is_back(tmp_path) -> None:
    rig, errors = RealRig(tmp_path), []
    rig.set(123, 0)
    with real_runtime(board(ADC), errors=errors) as runtime:
        seen = Seen(attach(runtime, 48, "iio/adc/voltage0"), IioEvent)
        runtime.start()
        until(lambda: seen.at_least(20))
        rig.unplug()
        try:
            until(lambda: bool(errors))
        finally:
            rig.plug()
        count = len(seen.events)
        rig.set(77, 0)
        until(lambda: seen.at_least(count + 40))
    (error,) = errors  # found by the read, or by who looks at a buffer that is silent
    assert str(error).startswith("iio adc")
    assert str(error).endswith("No such device (ENODEV)\n    fix    was it unplugged, or its driver removed?")
    assert (seen.events[0].value, seen.events[-1].value) == (123, 77)


PLAIN = """
    [i2c_bus.header]
    path = "/dev/i2c-1"
    [sensor.thermo]
    address = {address:#x}
    rate = "100ms"
    [sensor.thermo.channel.temp]
    register = 0x00
    format = "be:s16>>4"
    scale = 0.0625
"""


def test_a_sensor_that_a_driver_takes_and_gives_back(tmp_path) -> None:
    """smbus2 on i2c-stub, at an address that a driver of the kernel takes meanwhile."""
    adc, errors = RealRig(tmp_path), []
    bus = adc.client.parent
    adc.bus.write_word_data(0x49, 0, 0x8019, force=True)  # 25 degrees: 0x1980 in the order of the wire
    with real_runtime(board(PLAIN.format(address=0x49)), errors=errors) as runtime:
        seen = Seen(attach(runtime, I2cEvent.LAYOUT.size, "i2c/thermo/temp"), I2cEvent)
        runtime.start()
        until(lambda: seen.at_least(3))
        assert {(event.status, event.micro) for event in seen.events} == {(0, 25_500_000)}
        (bus / "new_device").write_text("ads1015 0x49")
        try:
            until(lambda: bool(errors) and seen.at_least(1) and seen.events[-1].status != 0)
        finally:
            (bus / "delete_device").write_text("0x49")
        until(lambda: seen.at_least(1) and seen.events[-1].status == 0)
    assert "the kernel's driver ads1015 reads it" in str(errors[0])
