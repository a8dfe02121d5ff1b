"""The kernel's side of output lines, for native code that makes ioctls: a C function that is Python."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from dataclasses import dataclass, field

from axiom_hw.actuation import line_ops as ops
from axiom_hw.actuation.actuator import Actuator
from axiom_hw.board import OutputLine
from axiom_hw.bpf.maps.mem import load_u64, store_u64
from axiom_hw.syscalls import PROCESS

_IOCTL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, use_errno=True)
FIRST_FD = 10_000  # no descriptor that this process has


@dataclass
class FakeLines:
    """Lines 0, 1, ... of chip 0, each a request of its own. `before(line, value)` may hang, ask, or raise OSError."""

    count: int = 2
    before: Callable[[int, int], None] = lambda line, value: None
    levels: dict[int, int] = field(default_factory=dict)
    written: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.function = _IOCTL(self._ioctl)
        self.address = ctypes.cast(self.function, ctypes.c_void_p).value or 0

    @property
    def inlined(self) -> dict[str, str]:
        """For `RawCode`: what `ioctl` is."""
        return {
            "ioctl": (
                "define internal i32 @ioctl(i32 %fd, i64 %request, i64 %at) nounwind {\n"
                f"  %r = call i32 inttoptr (i64 {self.address} to ptr)(i32 %fd, i64 %request, i64 %at)\n"
                "  ret i32 %r\n}"
            )
        }

    def plain(self, fd: int, request: int, at: int) -> int:
        """For `line_ops` as plain Python."""
        result = self._ioctl(fd, request, at)
        return result if result >= 0 else -ctypes.get_errno()

    def actuators(self, *, native: bool) -> tuple[Actuator, ...]:
        """Outputs d0, d1, ... whose safe value is 0; the even ones' is 1."""
        return tuple(self._actuator(line, native) for line in range(self.count))

    def set(self, line: int, value: int) -> None:
        self.before(line, value)
        self.levels[line] = value
        self.written.append((line, value))

    def _actuator(self, line: int, native: bool) -> Actuator:
        def write(value: int, _enabled: bool) -> None:
            try:
                self.set(line, value)
            except OSError as error:
                from axiom_hw.errors import BackendError

                raise BackendError(f"line {line}", "failed", errno=error.errno or errno.EIO) from None

        output = OutputLine(f"d{line}", 0, line, (line + 1) % 2)
        fd = FIRST_FD + line if native else None
        return Actuator(output, write, lambda: self.levels.get(line, 0), lambda: None, fd)

    def _ioctl(self, fd: int, request: int, at: int) -> int:
        line, bits, mask = fd - FIRST_FD, load_u64(PROCESS, at), load_u64(PROCESS, at + 8)
        assert mask == 1
        if request == ops.GPIO_V2_LINE_GET_VALUES_IOCTL:
            store_u64(PROCESS, at, self.levels.get(line, 0))
            return 0
        assert request == ops.GPIO_V2_LINE_SET_VALUES_IOCTL
        try:
            self.set(line, bits & mask)
        except OSError as error:
            ctypes.set_errno(error.errno or errno.EIO)
            return -1
        return 0
