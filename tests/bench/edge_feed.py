"""Records of edges on a socket, as a line request of the kernel's gives them, and the wire that an output is.

The output is a pipe: what is written there is the time at which it was written. So every way to get from an edge to
an output is timed alike, from before the edge is sent to the write of the output; who waits for that isn't counted.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from axiom_hw.backends.gpio import GpioRequest, LineInput, LineOutput
from axiom_hw.bpf.engine.llvm.loading import Library, load
from axiom_hw.bpf.engine.llvm.symbols import resolve
from tests.pump_bench import RECORD, WireRequest

LINE = 17
LED = 18
_STAMP = struct.Struct("<Q")
_OUTPUT_FD = 10_000  # no descriptor that this process has
_WAIT_S = 10.0

# The output's ioctl, in the place of the C library's: it takes the time and writes it to the pipe.
_IOCTL = """
declare i32 @clock_gettime(i32, ptr)
declare i64 @write(i32, ptr, i64)
define i32 @output(i32 %fd, i64 %request, i64 %at) nounwind {{
  %now = alloca [2 x i64]
  %ok = call i32 @clock_gettime(i32 1, ptr %now)
  %seconds = load i64, ptr %now
  %rest = getelementptr i64, ptr %now, i64 1
  %ns = load i64, ptr %rest
  %whole = mul i64 %seconds, 1000000000
  %stamp = add i64 %whole, %ns
  store i64 %stamp, ptr %now
  %n = call i64 @write(i32 {fd}, ptr %now, i64 8)
  ret i32 0
}}
"""


class EdgeFeed:
    """The line of a button and the line of an LED."""

    def __init__(self) -> None:
        self.theirs, self.ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.out, self._out_end = os.pipe()
        self.levels = {LINE: 0}
        self._seqno = 0

    def edge(self) -> int:
        """Change the button's level; returns ns until the LED's was written."""
        level = self.levels[LINE] = 1 - self.levels[LINE]
        self._seqno += 1
        start_ns = time.monotonic_ns()
        self.theirs.send(RECORD.pack(start_ns, 2 - level, LINE, self._seqno, self._seqno))
        (end_ns,) = _STAMP.unpack(os.read(self.out, _STAMP.size))
        return int(end_ns) - start_ns

    def write(self, value: int) -> None:
        """The LED, for what is Python."""
        os.write(self._out_end, _STAMP.pack(time.monotonic_ns()))

    def native_write(self) -> Library:
        """The LED, for what is native: `addresses["output"]` is called as ioctl(2)."""
        from axiom_hw.bpf.engine.llvm.jit import compile_ir  # here: it needs llvmlite

        code = compile_ir(_IOCTL.format(fd=self._out_end), "bench")
        write = ctypes.addressof(ctypes.c_char.in_dll(ctypes.CDLL(None), "write"))
        return load(code, resolve(code.needs, {"write": write}, "bench"), "bench")

    def end(self) -> None:
        """No more edges: who reads finds the end of the file."""
        self.theirs.close()

    def close(self) -> None:
        self.end()
        self.ours.close()
        os.close(self.out)
        os.close(self._out_end)


@dataclass
class _Led:
    """The request of the output. With a descriptor native code writes it, by the ioctl above."""

    feed: EdgeFeed
    native: bool
    offsets: tuple[int, ...] = (LED,)

    def fileno(self) -> int:
        return _OUTPUT_FD

    def descriptor(self) -> int | None:
        return _OUTPUT_FD if self.native else None

    def get(self, offset: int) -> int:
        return 0

    def set(self, offset: int, value: int) -> None:
        self.feed.write(value)

    def read_events(self, max_events: int = 64) -> list[Any]:
        raise AssertionError("outputs have no events")

    def release(self) -> None:
        pass


@dataclass
class FeedGpio:
    """A backend with one chip on a feed. With `native` its requests show descriptors."""

    feed: EdgeFeed
    native: bool
    label: str = "pinctrl-rp1"

    def open(self, label: str) -> FeedGpio:
        return self

    def request_inputs(self, lines: list[LineInput], consumer: str, event_buffer_size: int = 0) -> GpioRequest:
        return WireRequest(self.feed, tuple(line.offset for line in lines), self.native)  # type: ignore[arg-type]

    def request_outputs(self, lines: list[LineOutput], consumer: str) -> _Led:
        return _Led(self.feed, self.native)

    def close(self) -> None:
        pass


class _LineRequest(ctypes.Structure):
    """`struct gpio_v2_line_request`, include/uapi/linux/gpio.h."""

    _fields_ = (
        ("offsets", ctypes.c_uint32 * 64), ("consumer", ctypes.c_char * 32), ("config", ctypes.c_uint8 * 272),
        ("num_lines", ctypes.c_uint32), ("event_buffer_size", ctypes.c_uint32), ("padding", ctypes.c_uint32 * 5),
        ("fd", ctypes.c_int32),
    )  # fmt: skip


def gpiods_request(fd: int) -> Any:
    """gpiod's own `LineRequest` on a descriptor of ours, which it closes: its C reads, and makes its `EdgeEvent`s.

    The kernel alone makes requests, so this calls what gpiod's extension does with the kernel's answer. Raises
    `ImportError` and `AttributeError` where that isn't to be had.
    """
    import gpiod
    from gpiod import _ext

    library = ctypes.PyDLL(_ext.__file__)
    make = library.gpiod_line_request_from_uapi
    make.restype, make.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]
    wrap = library.Py_gpiod_MakeRequestObject
    wrap.restype, wrap.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_size_t]
    answer = _LineRequest(num_lines=1, fd=fd)
    answer.offsets[0] = LINE
    return gpiod.LineRequest(wrap(make(ctypes.byref(answer), b"gpiochip0"), 64))
