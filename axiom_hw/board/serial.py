"""Serial ports and what comes in on them: the table [serial.NAME] of a board file, to its declaration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from axiom_hw.board.table import Table

SERIAL_KEYS: Final = ("port", "usb", "baud", "framing", "size", "sync", "checksum", "optional")
RECORD_MAX: Final = 96  # bytes that a SerialEvent has room for
_BAUD: Final = (50, 4_000_000)
_USB: Final = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(\S+))?")
_SYNC_MAX: Final = 8


class Framing(Enum):
    """What makes records of a stream of bytes."""

    LINE = "line"  # what lies between line ends
    COBS = "cobs"  # consistent overhead byte stuffing: a zero ends a frame
    FIXED = "fixed"  # so many bytes each


class Checksum(Enum):
    """What proves that a record came through whole; those that fail are dropped, and counted."""

    NONE = "none"
    NMEA = "nmea"  # of a line: $...*hh
    CRC16 = "crc16"  # of a frame: its last two bytes, high byte first, CRC-16/CCITT-FALSE


@dataclass(frozen=True, slots=True)
class UsbId:
    """What a USB adapter says that it is; `serial` is empty where any will do."""

    vendor: int
    product: int
    serial: str = ""

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}" + (f":{self.serial}" if self.serial else "")


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port, 8 data bits, no parity, 1 stop bit. Its index in the board is the `port_id` of contexts.

    It is found by its path, or by what is plugged in. Fixed records have `size` bytes, of which `sync`, where it is
    given, are the first. The bench works without an `optional` one.
    """

    name: str
    port: str
    usb: UsbId | None
    baud: int
    framing: Framing = Framing.LINE
    size: int = 0
    sync: bytes = b""
    checksum: Checksum = Checksum.NONE
    optional: bool = False

    @property
    def where(self) -> str:
        """How people call it."""
        return self.port or f"the USB port {self.usb}"


def serial_row(name: str, table: Table) -> SerialPort:
    """[serial.NAME]: `port`, or `usb`."""
    match ("port" in table, "usb" in table):
        case (False, False):
            raise table.missing(
                "port", 'say which: port = "/dev/ttyAMA0" for GPIO14 and 15 of a Pi 5, usb = "067b:2303" for a plug'
            )
        case (True, True):
            raise table.error("has `port` and `usb`; a port is found by one of them", "keep one", "usb")
    port, usb = _path(table), _usb(table)
    if "baud" not in table:
        raise table.missing("baud", "say how fast: baud = 9600 is usual for GPS, 115200 for boards")
    baud = table.integer("baud", *_BAUD, 0, "bits a second")
    framing = table.choice("framing", Framing, Framing.LINE)
    checksum = table.choice("checksum", Checksum, Checksum.NONE)
    if checksum is Checksum.NMEA and framing is not Framing.LINE:
        raise table.error('`checksum` "nmea" is for lines', 'framing = "line", or checksum = "crc16"', "checksum")
    if checksum is Checksum.CRC16 and framing is Framing.LINE:
        raise table.error('`checksum` "crc16" is for frames', 'framing = "cobs" or "fixed"', "checksum")
    size, sync = _fixed(table, framing, checksum)
    return SerialPort(name, port, usb, baud, framing, size, sync, checksum, table.flag("optional"))


def _path(table: Table) -> str:
    path = table.text("port")
    if path and not path.startswith("/"):
        raise table.error(f'`port` is "{path}"; it takes a path', f'port = "/dev/{path}"', "port")
    if re.fullmatch(r"/dev/tty(USB|ACM)\d+", path):
        raise table.error(
            f'`port` is "{path}", a number that moves with the order of plugging',
            'say what is plugged in, usb = "vid:pid" as `lsusb` shows it, or a path below /dev/serial/by-id', "port",
        )  # fmt: skip
    if re.fullmatch(r"/dev/serial[01]", path):
        raise table.error(
            f'`port` is "{path}", which is another port on each Pi: the debug connector of a Pi 5',
            'GPIO14 and 15 are "/dev/ttyAMA0" on a Pi 5, "/dev/ttyS0" or "/dev/ttyAMA0" on others', "port",
        )  # fmt: skip
    return path


def _usb(table: Table) -> UsbId | None:
    text = table.text("usb")
    if not text:
        return None
    match = _USB.fullmatch(text)
    if match is None:
        raise table.error(
            f'`usb` is "{text}"; it takes vid:pid or vid:pid:serial, in hexadecimal',
            'as `lsusb` shows them: usb = "067b:2303"', "usb",
        )  # fmt: skip
    return UsbId(int(match[1], 16), int(match[2], 16), match[3] or "")


def _fixed(table: Table, framing: Framing, checksum: Checksum) -> tuple[int, bytes]:
    if framing is not Framing.FIXED:
        for key in ("size", "sync"):
            if key in table:
                raise table.error(f"`{key}` is for fixed records", 'framing = "fixed"', key)
        return 0, b""
    if "size" not in table:
        raise table.missing("size", f"say how many bytes a record has: 1 to {RECORD_MAX}")
    most = RECORD_MAX + (2 if checksum is Checksum.CRC16 else 0)
    size = table.integer("size", 1, most, 0, "bytes, `sync` and checksum included")
    listed = table.data.get("sync", [])
    good = isinstance(listed, list) and all(type(one) is int and 0 <= one <= 0xFF for one in listed)
    if not good or not isinstance(listed, list) or len(listed) > _SYNC_MAX:
        raise table.error(
            f"`sync` takes a list of up to {_SYNC_MAX} bytes", "sync = [0xAA, 0x55]: the first of each record", "sync"
        )
    least = len(listed) + (2 if checksum is Checksum.CRC16 else 0) + 1
    if size < least:
        raise table.error(f"`size` is {size}; with what belongs to each record it is at least {least}", "", "size")
    return size, bytes(listed)
