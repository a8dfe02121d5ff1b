"""What `iio_record` knows of a device, made of a scan's format and the channels' units."""

from __future__ import annotations

from collections.abc import Sequence

from axiom_hw.adapters import iio_record as record
from axiom_hw.backends.iio import Unit
from axiom_hw.backends.scan_format import ElementType, ScanFormat
from axiom_hw.bpf.maps.mem import Mem, store_u64
from axiom_hw.errors import BackendError

_LIMIT = (1 << 63) - 500  # of the billionths that a conversion goes through: native code counts in 64 bits
_S32 = ElementType(False, True, 32, 4)
_U32_MASK = (1 << 32) - 1


def state_bytes(channels: int) -> int:
    """How large the state of a device is."""
    return record.ROWS + channels * record.ROW_BYTES


def make_state(
    device_id: int, format: ScanFormat | None, units: Sequence[Unit], period_ns: int, *, one_event: bool,
    steady: bool = False,
) -> Mem:  # fmt: skip
    """The state of a device before its first scan; without `format` its values come one by one."""
    state = Mem(bytearray(state_bytes(len(units))))
    set_up(state, device_id, format, units, period_ns, one_event=one_event, steady=steady)
    return state


def set_up(
    state: Mem, device_id: int, format: ScanFormat | None, units: Sequence[Unit], period_ns: int, *, one_event: bool,
    steady: bool = False,
) -> None:  # fmt: skip
    """Say what the device is, again after it was away; counters and numbers stay. `steady`: a timer paces its scans.

    Raises `BackendError` for a channel whose values don't fit into 64 bits of billionths of its unit.
    """
    stamp = format.timestamp if format is not None else None
    words = (
        (record.DEVICE_ID, device_id),
        (record.CHANNELS, len(units)),
        (record.PERIOD, period_ns if stamp is not None else 0),
        (record.ONE_EVENT, int(one_event)),
        (record.STAMP, stamp if stamp is not None else record.NO_STAMP),
        (record.TIME, 0),
        (record.STEADY, int(steady)),
    )
    for at, value in words:
        store_u64(state, at, value)
    for channel, unit in enumerate(units):
        element = format.elements[channel] if format is not None else None
        kind = element.type if element is not None else _S32
        most = abs(unit.scale_nano) << (kind.bits - kind.signed)
        if element is not None and most + abs(unit.base_nano) >= _LIMIT:
            raise BackendError(
                f"channel {channel} of device {device_id}", f"has {kind.bits} bits of {unit.scale_nano / 1e9:g} units: "
                "its values don't fit into 64 bits of billionths", "read it without a buffer: leave `trigger` out",
            )  # fmt: skip
        values = (
            (record.AT, element.offset if element is not None else 0),
            (record.BYTES, kind.storage_bytes),
            (record.BIG_ENDIAN, int(kind.big_endian)),
            (record.SHIFT, kind.shift),
            (record.BITS, kind.bits),
            (record.SIGNED, int(kind.signed)),
            (record.SCALE_NANO, abs(unit.scale_nano)),
            (record.SCALE_NEGATIVE, int(unit.scale_nano < 0)),
            (record.BASE_NANO, abs(unit.base_nano)),
            (record.BASE_NEGATIVE, int(unit.base_nano < 0)),
            (record.SCALE, unit.scale),
            (record.OFFSET, unit.offset & _U32_MASK),
        )
        for at, value in values:
            store_u64(state, record.row_of(0, channel) + at, value)
