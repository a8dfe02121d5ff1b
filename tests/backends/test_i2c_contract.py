"""What every I2C backend does alike: the mock, smbus2 itself on a stand-in for the kernel's ioctls, and on i2c-stub."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from axiom_hw.backends.i2c import NO_ANSWER, I2cBackend, I2cPort
from axiom_hw.backends.mock_i2c import MockI2c
from axiom_hw.board import parse_board
from axiom_hw.board.i2c import SensorBus
from axiom_hw.errors import BackendError, BoardError
from tests.backends.fake_i2c_dev import FakeI2cDev

BOARD = parse_board("""
[i2c_bus.header]
path = "/dev/i2c-1"
[sensor.chip]
address = 0x48
rate = "1s"
[sensor.chip.channel.temp]
register = 0x00
format = "be:s16>>4"
scale = 0.0625
""", "x", "x.toml")  # fmt: skip
BUS = BOARD.i2c_buses[0]
AT = 0x48
SILENT = 0x20
STUB = "SMBus stub driver"


@dataclass(frozen=True)
class Rig:
    """A bus with a device that answers at AT; `bind` gives that to a driver of the kernel."""

    backend: I2cBackend
    bind: Callable[[], object]
    bus: SensorBus = BUS
    mocked: MockI2c | None = None
    at: int = AT

    @property
    def world(self) -> MockI2c:
        if self.mocked is None:
            pytest.skip("a real bus doesn't fail when it is told to")
        return self.mocked


def real_rig() -> Rig:
    """i2c-stub, and an address of it that no driver has; a driver that takes any chip is lent to it for `bind`."""
    from axiom_hw.backends.smbus2_i2c import Smbus2Backend

    found = [
        path.parent for path in Path("/sys/bus/i2c/devices").glob("i2c-*/name") if path.read_text().startswith(STUB)
    ]
    if not found:
        pytest.skip("this kernel has no i2c-stub (`make test-twin` boots one that has)")
    listed = Path("/sys/module/i2c_stub/parameters/chip_addr").read_text().split(",")
    taken = {int(path.name.partition("-")[2], 16) for path in found[0].glob("[0-9]*-00*")}
    at = next(int(text) for text in listed if int(text) not in {0, *taken})
    bus = SensorBus("stub", adapter=STUB)
    port = Smbus2Backend().open(bus)
    port.write(at, 0x10, bytes(32))  # what the test before has left
    port.close()
    return Rig(Smbus2Backend(), lambda: (found[0] / "new_device").write_text(f"ads1015 {at:#x}"), bus, at=at)


@pytest.fixture(params=["mock", "smbus2 on fake ioctls", pytest.param("smbus2 on i2c-stub", marks=pytest.mark.real)])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    if request.param == "smbus2 on i2c-stub":
        real = real_rig()
        yield real
        bound = next(Path("/sys/bus/i2c/devices").glob(f"*-{real.at:04x}"), None)
        if bound is not None:
            (bound.resolve().parent / "delete_device").write_text(f"{real.at:#x}")
        return
    world = MockI2c.for_board(BOARD, lambda: 0)
    if request.param == "mock":
        yield Rig(world, lambda: world.device("chip").bind("ads1015"), mocked=world)
        return
    from axiom_hw.backends.smbus2_i2c import Smbus2Backend

    dev = FakeI2cDev(tmp_path, world.open(BUS))
    monkeypatch.setattr("smbus2.smbus2.ioctl", dev.ioctl)
    driver = tmp_path / "sys" / "1-0048"
    driver.mkdir(parents=True)

    def bind() -> None:
        (tmp_path / "drivers" / "ads1015").mkdir(parents=True)
        (driver / "driver").symlink_to(tmp_path / "drivers" / "ads1015")
        dev.bound.add(AT)

    yield Rig(Smbus2Backend(tmp_path, tmp_path / "sys"), bind, mocked=world)


@pytest.fixture
def port(rig: Rig) -> Iterator[I2cPort]:
    opened = rig.backend.open(rig.bus)
    yield opened
    opened.close()


@pytest.mark.parametrize("length", [1, 2, 3, 32])
def test_bytes_come_back_in_the_order_of_the_wire(rig: Rig, port: I2cPort, length: int) -> None:
    data = bytes(range(1, length + 1))
    port.write(rig.at, 0x10, data)
    assert port.read(rig.at, 0x10, length) == data
    assert port.read(rig.at, 0x10, 1) == b"\x01"


def test_a_command_alone_is_a_write_of_nothing(rig: Rig, port: I2cPort) -> None:
    port.write(rig.at, 0x10, b"")
    assert port.read(rig.at, 0x10, 1) == b"\0"


def test_a_reading_of_the_world(rig: Rig, port: I2cPort) -> None:
    rig.world.device("chip").set("temp", "-12.5")
    raw = int.from_bytes(port.read(rig.at, 0, 2), "big", signed=True)
    assert raw >> 4 == -200


def test_where_nobody_is_nobody_answers(rig: Rig, port: I2cPort) -> None:
    with pytest.raises(BackendError) as caught:
        port.read(SILENT, 0, 1)
    assert caught.value.errno in NO_ANSWER
    assert "address 0x20 of" in str(caught.value)
    assert "i2cdetect" in caught.value.fix


@pytest.mark.parametrize("number", [errno.EREMOTEIO, errno.EIO, errno.EAGAIN])
def test_a_fault_passes_with_its_number(rig: Rig, port: I2cPort, number: int) -> None:
    rig.world.device("chip").fail(number)
    with pytest.raises(BackendError) as caught:
        port.read(rig.at, 0, 2)
    assert caught.value.errno == number
    assert port.read(rig.at, 0, 2) == b"\0\0"


def test_a_bus_that_hangs_fails_for_all(rig: Rig, port: I2cPort) -> None:
    rig.world.hang("header")
    with pytest.raises(BackendError, match="the bus is held low") as caught:
        port.write(rig.at, 0, b"x")
    assert caught.value.errno == errno.ETIMEDOUT
    rig.world.hang("header", 0)
    port.write(rig.at, 0, b"x")


def test_an_address_that_the_kernel_reads_is_told_with_its_driver(rig: Rig, port: I2cPort) -> None:
    rig.bind()
    with pytest.raises(BackendError, match="the kernel's driver ads1015 reads it") as caught:
        port.read(rig.at, 0, 1)
    assert caught.value.errno == errno.EBUSY
    assert "[iio.NAME]" in caught.value.fix


def test_a_driver_that_comes_later_is_noticed(rig: Rig, port: I2cPort) -> None:
    port.read(rig.at, 0, 1)
    rig.bind()
    with pytest.raises(BackendError, match="the kernel's driver ads1015 reads it"):
        port.read(rig.at, 0, 1)


@pytest.mark.parametrize("length", [0, 33])
def test_a_read_has_1_to_32_bytes(rig: Rig, port: I2cPort, length: int) -> None:
    with pytest.raises(BackendError, match="it takes 1 to 32") as caught:
        port.read(rig.at, 0, length)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(BackendError, match="it takes 0 to 32"):
        port.write(rig.at, 0, bytes(33))


def test_after_close_nothing_works(rig: Rig, port: I2cPort) -> None:
    port.close()
    port.close()
    with pytest.raises(BackendError, match="was closed"):
        port.read(rig.at, 0, 1)


def test_a_bus_that_isnt_there_says_how_it_is_switched_on(rig: Rig) -> None:
    with pytest.raises(BackendError, match=r"isn't there; here are .*i2c-1") as caught:
        rig.backend.open(SensorBus("other", "/dev/i2c-77"))
    assert caught.value.errno == errno.ENOENT
    assert "dtparam=i2c_arm=on" in caught.value.fix


class TestSmbus2:
    def test_it_takes_the_smallest_transfer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from axiom_hw.backends.smbus2_i2c import Smbus2Backend

        dev = FakeI2cDev(tmp_path, MockI2c.for_board(BOARD, lambda: 0).open(BUS))
        monkeypatch.setattr("smbus2.smbus2.ioctl", dev.ioctl)
        port = Smbus2Backend(tmp_path, tmp_path).open(BUS)
        for length in (1, 2, 3):
            port.read(AT, 0, length)
        port.write(AT, 0, b"")
        port.close()
        assert dev.sizes == [2, 3, 8, 1]  # byte data, word data, I2C block, byte

    def test_an_adapter_that_is_there_and_says_enodev_means_the_address(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So does i2c-stub of an address that it wasn't told of; the same of a bus that went away means the bus."""
        from axiom_hw.backends.smbus2_i2c import Smbus2Backend

        world = MockI2c.for_board(BOARD, lambda: 0)
        monkeypatch.setattr("smbus2.smbus2.ioctl", FakeI2cDev(tmp_path, world.open(BUS)).ioctl)
        adapter = tmp_path / "sys/i2c-1"
        port = Smbus2Backend(tmp_path, tmp_path / "sys").open(BUS)
        adapter.mkdir(parents=True)
        for said, found in (("nobody answers", errno.ENXIO), ("the bus went away", errno.ENODEV)):
            world.device("chip").fail(errno.ENODEV)
            with pytest.raises(BackendError, match=said) as caught:
                port.read(AT, 0, 1)
            assert caught.value.errno == found
            shutil.rmtree(adapter, ignore_errors=True)
        port.close()

    def test_a_bus_is_found_by_its_adapter_or_the_device_behind_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from axiom_hw.backends.smbus2_i2c import Smbus2Backend

        for number, device in ((1, "1f00074000.i2c"), (6, "1f00088000.i2c")):
            real = tmp_path / "devices" / device / f"i2c-{number}"
            real.mkdir(parents=True)
            (real / "name").write_text("Synopsys DesignWare I2C adapter\n")
            (tmp_path / "sys").mkdir(exist_ok=True)
            (tmp_path / "sys" / f"i2c-{number}").symlink_to(real)
        dev = FakeI2cDev(tmp_path, MockI2c.for_board(BOARD, lambda: 0).open(BUS))
        monkeypatch.setattr("smbus2.smbus2.ioctl", dev.ioctl)
        backend = Smbus2Backend(tmp_path, tmp_path / "sys")
        port = backend.open(SensorBus("header", adapter="1f00074000.i2c"))
        assert port.read(AT, 0, 1) == b"\0"
        port.close()
        with pytest.raises(BackendError, match="is the name of 2 buses here") as caught:
            backend.open(SensorBus("header", adapter="Synopsys DesignWare I2C adapter"))
        assert caught.value.fix == (
            "name the device behind the one that is meant: adapter = one of 1f00074000.i2c, 1f00088000.i2c"
        )
        with pytest.raises(BackendError, match="isn't there; here are i2c-1: Synopsys"):
            backend.open(SensorBus("header", adapter="1f00000000.i2c"))

    @pytest.mark.parametrize(("number", "said"), [
        (errno.EACCES, "may not be opened by this user\n    fix    add yourself to the group that owns it, and log in "
         "again: sudo usermod -aG i2c $USER"),
        (errno.ENOTTY, "can't be opened: Inappropriate ioctl for device (ENOTTY)\n    fix    is it an I2C bus? "
         "`i2cdetect -l` lists them"),
    ])  # fmt: skip
    def test_a_bus_that_cant_be_opened(
        self, number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from axiom_hw.backends.smbus2_i2c import Smbus2Backend

        def refuse(*_) -> int:
            raise OSError(number, "no")

        (tmp_path / "i2c-1").touch()
        monkeypatch.setattr("smbus2.smbus2.ioctl", refuse)
        with pytest.raises(BackendError) as caught:
            Smbus2Backend(tmp_path, tmp_path).open(BUS)
        assert str(caught.value) == f"i2c bus {tmp_path}/i2c-1: {said}"


def test_the_mock_says_what_it_has() -> None:
    world = MockI2c.for_board(BOARD, lambda: 0)
    with pytest.raises(BoardError, match="has no sensor `chop`; it has chip"):
        world.device("chop")
    with pytest.raises(BoardError, match="has no channel `hum`; it has temp"):
        world.device("chip").set("hum", 5)
