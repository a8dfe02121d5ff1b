"""What every serial backend does alike: the mock, and pyserial on a pseudo-terminal and on ports of a kernel."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from axiom_hw.backends.mock_serial import BUFFER
from axiom_hw.backends.pyserial_port import PyserialBackend
from axiom_hw.board.serial import SerialPort, UsbId
from axiom_hw.errors import BackendError, BoardError
from tests.backends.serial_rigs import MockRig, PtyRig, RealRig, received


@pytest.fixture(params=[
    "mock", "pyserial on a pty",
    *(pytest.param(name, marks=pytest.mark.real) for name in ("ttyAMA0", "ttyAMA2")),  # virtio's console; a UART
])  # fmt: skip
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MockRig | PtyRig | RealRig]:
    match request.param:
        case "mock":
            made = MockRig()
        case "pyserial on a pty":
            made = PtyRig(tmp_path)
        case name:
            made = RealRig(name)
    yield made
    made.close()


@pytest.fixture
def link(rig) -> Iterator:
    opened = rig.backend.open(rig.port)
    yield opened
    opened.close()


def test_bytes_come_as_they_were_sent(rig, link) -> None:
    data = bytes(range(256))
    rig.feed(data)
    assert received(link, 256) == data, "raw: no line ends are turned, no control character is heard"


def test_reading_never_waits(link) -> None:
    assert not link.ready()
    assert link.read() == b""
    assert link.overrun() == 0


def test_who_waits_is_woken(rig, link) -> None:
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    assert not poll.poll(0)
    rig.feed(b"x")
    assert poll.poll(10_000)
    assert link.ready()
    assert received(link, 1) == b"x"
    assert not poll.poll(0)


def test_a_port_has_one_owner(rig, link) -> None:
    with pytest.raises(BackendError, match="is in use") as caught:
        rig.backend.open(rig.port)
    assert caught.value.errno == errno.EBUSY
    assert "serial-getty" in caught.value.fix
    link.close()
    rig.backend.open(rig.port).close()


def test_an_unplugged_port_says_so_and_can_be_opened_when_it_is_back(rig, link) -> None:
    rig.unplug()
    assert not rig.backend.present(rig.port)
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    assert poll.poll(10_000)
    with pytest.raises(BackendError, match="went away") as caught:
        link.read()
    assert caught.value.errno == errno.ENODEV
    link.close()
    with pytest.raises(BackendError, match="isn't there") as caught:
        rig.backend.open(rig.port)
    assert caught.value.errno == errno.ENOENT
    rig.plug()
    assert rig.backend.present(rig.port)
    again = rig.backend.open(rig.port)
    rig.feed(b"back")
    assert received(again, 4) == b"back"
    again.close()


def test_after_close_nothing_works(link) -> None:
    link.close()
    link.close()
    for refused in (link.read, link.fileno):
        with pytest.raises(BackendError, match="was closed"):
            refused()


class TestMock:
    def test_what_nobody_reads_overruns(self) -> None:
        rig = MockRig()
        link = rig.backend.open(rig.port)
        rig.feed(b"a" * BUFFER)
        rig.feed(b"bcd")
        assert link.read() == b"a" * BUFFER
        assert (link.overrun(), link.overrun()) == (3, 0)

    def test_what_nobody_hears_is_gone(self) -> None:
        rig = MockRig()
        rig.feed(b"abc")
        assert rig.world.line("gps").unheard == 3
        assert rig.backend.open(rig.port).read() == b""

    def test_noise_flips_bits(self) -> None:
        rig = MockRig()
        link = rig.backend.open(rig.port)
        rig.world.line("gps").noise(0, 0x20)
        rig.feed(b"abc")
        assert link.read() == b"aBc"

    def test_a_port_that_isnt_declared(self) -> None:
        with pytest.raises(BoardError, match="has no port `gsp`; it has gps"):
            MockRig().world.line("gsp")


class TestPyserial:
    def usb(self, tmp_path: Path, name: str, product: str, number: str) -> None:
        device = tmp_path / "devices" / f"1-{number}"
        interface = device / f"1-{number}:1.0" / name
        interface.mkdir(parents=True)
        (device / "idVendor").write_text("067B\n")
        (device / "idProduct").write_text(f"{product}\n")
        (device / "serial").write_text(f"SN{number}\n")
        (tmp_path / "sys" / name).mkdir(parents=True)
        (tmp_path / "sys" / name / "device").symlink_to(interface)

    def test_a_port_is_found_by_what_is_plugged_in(self, tmp_path: Path) -> None:
        rig = PtyRig(tmp_path)
        self.usb(tmp_path, "ttyUSB3", "2303", "1")
        self.usb(tmp_path, "ttyUSB4", "9999", "2")
        (tmp_path / "ttyUSB3").symlink_to(rig.path.readlink())
        port = SerialPort("gps", "", UsbId(0x067B, 0x2303), 9600)
        link = rig.backend.open(port)
        rig.feed(b"found")
        assert received(link, 5) == b"found"
        link.close()
        with pytest.raises(BackendError) as caught:
            rig.backend.open(replace(port, usb=UsbId(0x1234, 0x0001)))
        assert str(caught.value) == (
            f"serial gps, the USB port 1234:0001: isn't there; here are {tmp_path}/ttyUSB3 (067b:2303:SN1), "
            f"{tmp_path}/ttyUSB4 (067b:9999:SN2)\n"
            "    fix    is it plugged in? `lsusb` lists what is; without hardware run with --mock"
        )
        rig.close()

    def test_two_of_a_kind_are_told_apart_by_their_serial_numbers(self, tmp_path: Path) -> None:
        self.usb(tmp_path, "ttyUSB3", "2303", "1")
        self.usb(tmp_path, "ttyUSB4", "2303", "2")
        backend = PyserialBackend(tmp_path, tmp_path / "sys")
        port = SerialPort("gps", "", UsbId(0x067B, 0x2303), 9600)
        with pytest.raises(BackendError, match=r"2 ports match: \S+/ttyUSB3 is SN1, \S+/ttyUSB4 is SN2"):
            backend.open(port)
        with pytest.raises(BackendError, match="isn't there"):  # found, but its device file isn't
            backend.open(replace(port, usb=UsbId(0x067B, 0x2303, "SN2")))

    @pytest.mark.parametrize(("number", "said"), [
        (errno.EACCES, "serial gps, /dev/x: may not be opened by this user\n    fix    add yourself to the group that "
         "owns it, and log in again: sudo usermod -aG dialout $USER"),
        (errno.EIO, "serial gps, /dev/x: can't be opened: Input/output error (EIO)"),
    ])  # fmt: skip
    def test_a_port_that_cant_be_opened(self, number: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("serial.serialposix.os.open", refuse)
        with pytest.raises(BackendError) as caught:
            PyserialBackend().open(SerialPort("gps", "/dev/x", None, 9600))
        assert str(caught.value) == said

    def test_bytes_that_come_just_behind_an_empty_read_are_no_hang_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig = PtyRig(tmp_path)
        link = rig.backend.open(rig.port)
        rig.feed(b"late")
        poll = select.poll()
        poll.register(link.fileno(), select.POLLIN)
        assert poll.poll(10_000)
        with monkeypatch.context() as empty:
            empty.setattr("axiom_hw.backends.pyserial_port.os.read", lambda *_: b"")
            assert link.read() == b""
        assert received(link, 4) == b"late"
        link.close()
        rig.close()

    def test_a_file_is_no_port(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(BackendError, match="can't be used: Could not configure port"):
            PyserialBackend(tmp_path, tmp_path).open(SerialPort("gps", str(tmp_path / "file"), None, 9600))
