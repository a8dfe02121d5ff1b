"""Hooks as text, `gpio/0/line17/rising`, and back: how a recording names what its events came on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.layout import Layout
from axiom_hw.errors import RecordingError
from axiom_hw.events import HOOKS, Edge
from axiom_hw.keys import GpioKey, HookKey, I2cKey, IioKey, PwmKey, ScanKey, SerialKey, TimerKey


@dataclass(frozen=True, slots=True)
class _Form:
    """How the keys of one kind are written: the reverse of their `str`."""

    pattern: re.Pattern[str]
    make: Callable[..., HookKey]


def _form(pattern: str, make: Callable[..., HookKey]) -> _Form:
    return _Form(re.compile(pattern), make)


_FORMS: Final = (
    _form(r"gpio/(\d+)/line(\d+)/(rising|falling)", lambda c, n, e: GpioKey(int(c), int(n), Edge[e.upper()])),
    _form(r"pwm/(\d+)/channel(\d+)", lambda c, n: PwmKey(int(c), int(n))),
    _form(r"timer/(\d+)ns#(\d+)", lambda p, i: TimerKey(int(p), int(i))),
    _form(r"iio/(\d+)/(\d+)(?:/(rising|falling))?", lambda d, c, e: IioKey(int(d), int(c), e and Edge[e.upper()])),
    _form(r"scan/(\d+)", lambda d: ScanKey(int(d))),
    _form(r"i2c/(\d+)/(\d+)", lambda s, c: I2cKey(int(s), int(c))),
    _form(r"serial/(\d+)", lambda p: SerialKey(int(p))),
)  # fmt: skip


def key_of(text: str) -> HookKey:
    """The key that `str(key)` wrote. Raises `RecordingError` for a hook that this version doesn't know."""
    for form in _FORMS:
        if found := form.pattern.fullmatch(text):
            return form.make(*found.groups())
    known = ", ".join(HOOKS)
    raise RecordingError(
        f"hook {text}", f"isn't known here; known are {known}", "was it recorded by a newer axiom_hw? `pip install -U`"
    )


def layout_of(key: HookKey) -> Layout:
    """What the events on a hook look like in this version."""
    return HOOKS[str(key).partition("/")[0]]


def wire_of(key: HookKey) -> str:
    """The wire, channel or port that a hook listens to: `gpio/0/line17` for both of its edges."""
    match key:
        case GpioKey():
            return f"gpio/{key.chip_id}/line{key.line}"
        case IioKey():
            return f"iio/{key.device_id}/{key.channel}"
        case _:
            return str(key)
