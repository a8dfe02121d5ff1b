"""One layout per hook: what a program sees as its context.

Programs compiled for the Axiom kernel's published offsets run unchanged: new fields lie behind the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, Final, cast

from axiom_hw.bpf.layout import Layout, Struct, array_of, layout, s32, s64, u8, u32, u64
from axiom_hw.bpf.spec import CtxSpec
from axiom_hw.errors import HookError


class Edge(IntEnum):
    """The direction of a level change, as contexts and `GPIO_V2_LINE_EVENT` number it."""

    RISING = 1
    FALLING = 2


@layout(size=32, frozen=True)
class GpioEvent:
    """A line changed level. Hook: gpio/<line>."""

    timestamp_ns: u64  # CLOCK_MONOTONIC, stamped by the kernel, not by us
    chip_id: u32
    line: u32  # offset on its chip
    edge: u32  # Edge.RISING or Edge.FALLING
    value: u32  # of the line after the edge, 0 or 1
    seqno: u32  # per line; a gap means that the kernel dropped edges
    lost: u32  # how many were dropped just before this one


@layout(size=32, frozen=True)
class PwmEvent:
    """A channel's state was written (not once a period). Hook: pwm/<output>."""

    timestamp_ns: u64  # CLOCK_MONOTONIC, taken after the write
    chip_id: u32
    channel: u32
    period_ns: u32
    duty_ns: u32
    polarity: u32  # 0 normal, 1 inversed
    enabled: u32


@layout(size=16, frozen=True)
class TimerEvent:
    """A timer expired. Hook: timer/<period>. Programs that expect an empty context see none of it."""

    timestamp_ns: u64  # CLOCK_MONOTONIC at which it was due
    count: u32  # expirations so far, this one included
    overruns: u32  # periods that passed unserved just before this one


@layout(size=48, frozen=True)
class IioEvent:
    """A sample of one channel of a sensor in the kernel's IIO or hwmon. Hook: iio/<device>/<channel>."""

    timestamp_ns: u64  # CLOCK_MONOTONIC: the kernel's of a buffered sample, of the reading otherwise
    device_id: u32
    channel: u32  # its place in the device's `channels` on the board
    value: s32  # raw, as the kernel gives it; thousandths of the unit where its driver computes that itself
    scale: u32  # what one step of the raw value is, in millionths of the unit
    offset: s32  # to be added to the raw value before it is scaled
    reserved: u32  # 0
    seqno: u32  # of this channel, from 1; a gap means that samples were lost
    lost: u32  # how many were lost just before this one, as far as that can be known
    micro: s64  # (value + offset) * scale, exact, in millionths of the channel's unit


SCAN_CHANNELS: Final = 8


@layout(size=120, frozen=True)
class ScanEvent:
    """Samples of several channels of one sensor, taken at once. Hook: scan/<device>."""

    timestamp_ns: u64  # CLOCK_MONOTONIC, the kernel's
    device_id: u32
    count: u32  # of channels, in the order of the device's `channels` on the board; the rest is 0
    seqno: u32  # from 1; a gap means that scans were lost
    lost: u32  # how many were lost just before this one, as far as that can be known
    value: Annotated[list[int], array_of(s32, SCAN_CHANNELS)]  # raw
    micro: Annotated[list[int], array_of(s64, SCAN_CHANNELS)]  # in millionths of each channel's unit


@layout(size=48, frozen=True)
class I2cEvent:
    """A reading of one channel of a sensor on an I2C bus. Hook: i2c/<sensor>/<channel>."""

    timestamp_ns: u64  # CLOCK_MONOTONIC, taken after the transfer
    sensor_id: u32
    channel: u32  # its place among the sensor's channels
    value: s32  # raw, as the registers give it
    status: u32  # 0, or the errno of a transfer that failed: value and micro are those of the last good one
    seqno: u32  # of this channel, from 1
    lost: u32  # readings that were due just before this one and weren't made
    micro: s64  # in millionths of the channel's unit
    reserved: u64  # 0


SERIAL_BYTES: Final = 96  # the longest record; a line of NMEA 0183 has 82


@layout(size=128, frozen=True)
class SerialEvent:
    """A record came in on a serial port: a line, or a frame. Hook: serial/<port>."""

    timestamp_ns: u64  # CLOCK_MONOTONIC, when its last byte was read
    port_id: u32
    length: u32  # bytes of `data` that are the record, without its delimiter; the rest is 0
    seqno: u32  # from 1
    lost: u32  # bytes that were dropped just before this one: too long, damaged, or overrun
    reserved: u64  # 0
    data: Annotated[list[int], array_of(u8, SERIAL_BYTES)]


_BY_HOOK: Final = {
    "gpio": GpioEvent,
    "pwm": PwmEvent,
    "timer": TimerEvent,
    "iio": IioEvent,
    "scan": ScanEvent,
    "i2c": I2cEvent,
    "serial": SerialEvent,
}

# What the programs of a section see, by the first word of its name.
HOOKS: Final[Mapping[str, Layout]] = MappingProxyType(
    {word: cast(type[Struct], event).LAYOUT for word, event in _BY_HOOK.items()}
)

# Every context, for the C header and the docs.
CONTEXTS: Final[tuple[Layout, ...]] = tuple(HOOKS.values())


def ctx_of(section: str) -> CtxSpec:
    """The context of a program by its section name (`gpio/button`, `timer/100ms`): read-only, of the hook's layout.

    Raises `HookError` for a section that is no hook, with the hooks there are.
    """
    kind = section.partition("/")[0]
    layout_ = HOOKS.get(kind)
    if layout_ is None:
        near = get_close_matches(kind, HOOKS, n=1)
        meant = f"did you mean `{near[0]}`? " if near else ""
        raise HookError(
            f"section {section!r}", "names no hook",
            f"{meant}the hooks are {', '.join(HOOKS)}, as in gpio/button, pwm/servo, timer/100ms",
        )  # fmt: skip
    return CtxSpec(layout_.size, layout=layout_)
