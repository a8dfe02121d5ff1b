"""A stand-in for `gpiod.Chip` on a machine without chips: the same calls, types and exceptions, over a pipe.

Written from the documentation of the bindings and gpiolib-cdev.c, apart from the mock backend on purpose: two
readings of the same rules that have to agree in the contract tests.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gpiod
from gpiod.line import Bias, Direction, Drive, Edge, Value


class FakeWorld:
    """The lines of one chip as seen from the outside, and the kernel's side of its requests."""

    def __init__(self, label: str, num_lines: int, clock, timers) -> None:
        self.label = label
        self.num_lines = num_lines
        self.clock = clock
        self.timers = timers
        self.outside: dict[int, int] = {}
        self.pull: dict[int, Bias] = {}
        self.latch: dict[int, int] = {}  # what we drive, raw
        self.drives: dict[int, Drive] = {}
        self.charge = [0] * num_lines
        self.requests: list[FakeRequest] = []

    def raw(self, offset: int) -> int:
        if offset in self.latch:
            out, how = self.latch[offset], self.drives[offset]
            if how is Drive.PUSH_PULL or (how is Drive.OPEN_DRAIN and not out) or (how is Drive.OPEN_SOURCE and out):
                return out
        if offset in self.outside:
            return self.outside[offset]
        match self.pull.get(offset):
            case Bias.PULL_UP:
                return 1
            case Bias.PULL_DOWN:
                return 0
        return self.charge[offset]

    def play(self, offset: int, change: Callable[[], object]) -> None:
        """Make a change, and interrupt the owner of the line if the level moved."""
        change()
        level = self.raw(offset)
        if level == self.charge[offset]:
            return
        self.charge[offset] = level
        for request in self.requests:
            if offset in request.settings:
                request.interrupt(offset, level)

    def drive(self, offset: int, level: int | None) -> None:
        if level is None:
            self.play(offset, lambda: self.outside.pop(offset, None))
        else:
            self.play(offset, lambda: self.outside.__setitem__(offset, level))

    def level(self, offset: int) -> int:
        return self.charge[offset]


class FakeRequest:
    """`gpiod.LineRequest`. Events wait as bytes in a pipe would, so `fd` polls as the kernel's does."""

    def __init__(self, world: FakeWorld, settings: dict[int, gpiod.LineSettings], consumer: str, size: int) -> None:
        self.world = world
        self.settings = settings
        self.consumer = consumer
        size = min(size, 1024) or 16 * len(settings)
        self.room = next(1 << bit for bit in range(11) if 1 << bit >= size)
        self.events: list[gpiod.EdgeEvent] = []
        self.count = 0
        self.line_count = dict.fromkeys(settings, 0)
        self.stable: dict[int, int] = {}
        self.deadline: dict[int, int] = {}
        self.pipe = os.pipe()
        self.live = True

    def __bool__(self) -> bool:
        return self.live

    def _check(self) -> None:
        if not self.live:
            raise gpiod.RequestReleasedError

    @property
    def fd(self) -> int:
        self._check()
        return self.pipe[0]

    def release(self) -> None:
        if self.live:
            self.live = False
            self.world.requests.remove(self)
            for end in self.pipe:
                os.close(end)

    def get_value(self, offset: int) -> Value:
        self._check()
        if offset not in self.settings:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        raw = self.stable.get(offset, self.world.charge[offset])
        return Value.ACTIVE if raw != self.settings[offset].active_low else Value.INACTIVE

    def set_value(self, offset: int, value: Value) -> None:
        self._check()
        if offset not in self.settings:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if self.settings[offset].direction is not Direction.OUTPUT:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        raw = int((value is Value.ACTIVE) != self.settings[offset].active_low)
        self.world.play(offset, lambda: self.world.latch.__setitem__(offset, raw))

    def read_edge_events(self, max_events: int | None = None) -> list[gpiod.EdgeEvent]:
        self._check()
        assert self.events, "a real read would wait here for ever"
        taken = self.events[: max_events or 64]
        del self.events[: len(taken)]
        os.read(self.pipe[0], len(taken))
        return taken

    def interrupt(self, offset: int, level: int) -> None:
        settings = self.settings[offset]
        if settings.direction is not Direction.INPUT:
            return
        wait = settings.debounce_period
        if not wait:
            self.record(offset, level)
            return
        due = self.world.clock.now_ns() + round(wait.total_seconds() * 1e9)
        self.deadline[offset] = due
        self.world.timers.at(due, lambda *_: self.expire(offset, due))

    def expire(self, offset: int, due: int) -> None:
        level = self.world.charge[offset]
        if self.live and self.deadline[offset] == due and level != self.stable[offset]:
            self.stable[offset] = level
            self.record(offset, level)

    def record(self, offset: int, level: int) -> None:
        settings = self.settings[offset]
        rising = level != settings.active_low
        if settings.edge_detection not in (Edge.BOTH, Edge.RISING if rising else Edge.FALLING):
            return
        self.count += 1
        self.line_count[offset] += 1
        kind = gpiod.EdgeEvent.Type.RISING_EDGE if rising else gpiod.EdgeEvent.Type.FALLING_EDGE
        now = self.world.clock.now_ns()
        self.events.append(gpiod.EdgeEvent(kind.value, now, offset, self.count, self.line_count[offset]))
        if len(self.events) > self.room:
            del self.events[0]
        else:
            os.write(self.pipe[1], b"e")


class FakeChip:
    """`gpiod.Chip`."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.open = True

    def get_info(self) -> gpiod.ChipInfo:
        return gpiod.ChipInfo("gpiochip11", self.world.label, self.world.num_lines)

    def get_line_info(self, offset: int) -> SimpleNamespace:
        owner = next((r for r in self.world.requests if offset in r.settings), None)
        return SimpleNamespace(used=owner is not None, consumer=owner.consumer if owner else "")

    def request_lines(self, config, consumer: str | None = None, event_buffer_size: int | None = None) -> FakeRequest:
        if not self.open:
            raise gpiod.ChipClosedError
        world = self.world
        for request in world.requests:
            if set(config) & set(request.settings):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        request = FakeRequest(world, dict(config), consumer or "?", event_buffer_size or 0)
        for offset, settings in config.items():
            if settings.direction is Direction.OUTPUT:
                raw = int((settings.output_value is Value.ACTIVE) != settings.active_low)
                world.drives[offset] = settings.drive
                world.play(offset, lambda o=offset, r=raw: world.latch.__setitem__(o, r))
            else:
                if settings.bias is not Bias.AS_IS:
                    world.pull[offset] = settings.bias
                world.play(offset, lambda o=offset: world.latch.pop(o, None))
                if settings.debounce_period:
                    request.stable[offset] = world.charge[offset]
        world.requests.append(request)
        return request

    def close(self) -> None:
        self.open = False


class FakeDev:
    """A directory like /dev, with a file for each chip; `opener` and `is_chip` go into `GpiodBackend`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.worlds: dict[str, FakeWorld] = {}
        self.errors: dict[str, int] = {}
        self.opened: list[FakeChip] = []

    def add(self, name: str, world: FakeWorld, error: int = 0) -> None:
        file = self.path / name
        file.touch()
        self.worlds[str(file)] = world
        self.errors[str(file)] = error

    def link(self, name: str, target: str) -> None:
        (self.path / name).symlink_to(self.path / target)

    def opener(self, path: str) -> FakeChip:
        real = os.path.realpath(path)
        if self.errors[real]:
            raise OSError(self.errors[real], os.strerror(self.errors[real]))
        self.opened.append(FakeChip(self.worlds[real]))
        return self.opened[-1]

    def is_chip(self, path: str) -> bool:
        return os.path.realpath(path) in self.worlds
