"""One layout per hook: what a program sees as its context.

Programs compiled for the Axiom kernel's published offsets run unchanged: new fields lie behind the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import IntEnum
from types import MappingProxyType
from typing import Final, cast

from axiom_hw.bpf.layout import Layout, Struct, layout, u32, u64
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


# Every context, for the C header and the docs.
CONTEXTS: Final[tuple[Layout, ...]] = tuple(
    cast(type[Struct], event).LAYOUT for event in (GpioEvent, PwmEvent, TimerEvent)
)

# What the programs of a section see, by the first word of its name.
HOOKS: Final[Mapping[str, Layout]] = MappingProxyType(dict(zip(("gpio", "pwm", "timer"), CONTEXTS, strict=True)))


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
