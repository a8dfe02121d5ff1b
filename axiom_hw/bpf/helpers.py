"""THE helper table: id, name, arguments, result and effect of every function that a program can call.

Standard helpers carry Linux's ids (include/uapi/linux/bpf.h, `___BPF_FUNC_MAPPER`), hardware helpers start at 1000 and
keep the Axiom kernel's. The verifier checks calls against these rows; the engines bind an implementation to each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from axiom_hw.bpf.spec import MapType


class Arg(Enum):
    """What a helper expects in one register (r1 to r5)."""

    SCALAR = "a number"
    OPTIONAL = "a number, or nothing"
    MAP = "a map"
    MAP_KEY = "a pointer to key_size initialised bytes"
    MAP_VALUE = "a pointer to value_size initialised bytes"
    MEM_IN = "a pointer to initialised bytes, their number in the next argument"
    SIZE = "the number of bytes of the argument before, at least 1"
    SIZE_OR_ZERO = "the number of bytes of the argument before"
    RECORD = "a ring record from ringbuf_reserve"
    RECORD_SIZE = "the size of a ring record, known at load time"


class Ret(Enum):
    """What a helper leaves in r0."""

    SCALAR = "a number"
    VOID = "nothing"
    MAP_VALUE_OR_NULL = "a pointer into the map, or NULL"
    RECORD_OR_NULL = "a pointer to a ring record, or NULL"


class Effect(Enum):
    """What the verifier must track beyond the registers."""

    NONE = "none"
    ACQUIRE = "makes a reference that must be released"
    RELEASE = "releases the reference in its first argument"
    WRITES_MAP = "writes the map"
    ACTUATES = "asks the guard to drive an output"


@dataclass(frozen=True, slots=True)
class Helper:
    """One row. `maps` limits the types of map that it takes; empty where it takes none."""

    id: int
    name: str
    args: tuple[Arg, ...]
    ret: Ret
    effect: Effect = Effect.NONE
    maps: tuple[MapType, ...] = ()
    doc: str = ""


_A = Arg
_KEYED: Final = (MapType.HASH, MapType.ARRAY)
_RING: Final = (MapType.RINGBUF,)

TABLE: Final[tuple[Helper, ...]] = (
    Helper(1, "map_lookup_elem", (_A.MAP, _A.MAP_KEY), Ret.MAP_VALUE_OR_NULL, Effect.NONE, _KEYED,
           "The value of a key."),
    Helper(2, "map_update_elem", (_A.MAP, _A.MAP_KEY, _A.MAP_VALUE, _A.SCALAR), Ret.SCALAR, Effect.WRITES_MAP, _KEYED,
           "Set a key's value; flags: 0 any, 1 only if absent, 2 only if present. 0 or -errno."),
    Helper(3, "map_delete_elem", (_A.MAP, _A.MAP_KEY), Ret.SCALAR, Effect.WRITES_MAP, _KEYED,
           "Remove a key. 0 or -errno."),
    Helper(5, "ktime_get_ns", (), Ret.SCALAR, doc="CLOCK_MONOTONIC in ns."),
    Helper(6, "trace_printk", (_A.MEM_IN, _A.SIZE, _A.OPTIONAL, _A.OPTIONAL, _A.OPTIONAL), Ret.SCALAR,
           doc="Print a format with up to three numbers to the trace pipe; the bytes printed, or -errno."),
    Helper(7, "get_prandom_u32", (), Ret.SCALAR, doc="A pseudo-random 32-bit number."),
    Helper(8, "get_smp_processor_id", (), Ret.SCALAR, doc="The slot that runs the program."),
    Helper(130, "ringbuf_output", (_A.MAP, _A.MEM_IN, _A.SIZE_OR_ZERO, _A.SCALAR), Ret.SCALAR, Effect.WRITES_MAP, _RING,
           "Append a record; 0, or -EAGAIN where the ring is full."),
    Helper(131, "ringbuf_reserve", (_A.MAP, _A.RECORD_SIZE, _A.SCALAR), Ret.RECORD_OR_NULL, Effect.ACQUIRE, _RING,
           "Room for a record, to be submitted or discarded on each path."),
    Helper(132, "ringbuf_submit", (_A.RECORD, _A.SCALAR), Ret.VOID, Effect.RELEASE, doc="Publish a record."),
    Helper(133, "ringbuf_discard", (_A.RECORD, _A.SCALAR), Ret.VOID, Effect.RELEASE, doc="Give a record up."),
    Helper(134, "ringbuf_query", (_A.MAP, _A.SCALAR), Ret.SCALAR, Effect.NONE, _RING,
           "0 unread bytes, 1 size, 2 consumer position, 3 producer position."),
    Helper(1000, "emergency_stop", (_A.SCALAR,), Ret.SCALAR, Effect.ACTUATES,
           doc="Bring every output to its safe state and latch it there; the argument is the reason's number."),
    Helper(1003, "gpio_set", (_A.SCALAR, _A.SCALAR), Ret.SCALAR, Effect.ACTUATES,
           doc="Drive a line of the header chip: line, value 0 or 1. 0 or -errno."),
    Helper(1004, "gpio_get", (_A.SCALAR,), Ret.SCALAR, doc="The level of a line of the header chip, or -errno."),
    Helper(1005, "pwm_write", (_A.SCALAR, _A.SCALAR, _A.SCALAR), Ret.SCALAR, Effect.ACTUATES,
           doc="Set a channel's duty: chip, channel, percent. 0 or -errno."),
    Helper(1006, "iio_read", (_A.SCALAR, _A.SCALAR), Ret.SCALAR,
           doc="The last value of a sensor's channel, in millionths of its unit: device, channel. -2^63 before it."),
    Helper(1007, "pwm_write_ns", (_A.SCALAR, _A.SCALAR, _A.SCALAR), Ret.SCALAR, Effect.ACTUATES,
           doc="Set a channel's duty: chip, channel, ns. 0 or -errno."),
    Helper(1008, "emergency_stopped", (), Ret.SCALAR, doc="1 while the emergency stop is latched, else 0."),
    Helper(1009, "servo_set", (_A.SCALAR, _A.SCALAR, _A.SCALAR), Ret.SCALAR, Effect.ACTUATES,
           doc="Turn a servo: chip, channel, thousandths of a degree. 0 or -errno."),
    Helper(1010, "motor_set", (_A.SCALAR, _A.SCALAR, _A.SCALAR), Ret.SCALAR, Effect.ACTUATES,
           doc="Drive a motor: chip, channel, -1000 to 1000 thousandths. 0 or -errno."),
)  # fmt: skip

BY_ID: Final = {row.id: row for row in TABLE}
BY_NAME: Final = {row.name: row for row in TABLE}


@dataclass(frozen=True, slots=True)
class Raise:
    """What Python raises where a program written in it goes wrong. The front end puts a call of `id` on each such path;
    no engine implements it: a program is accepted only if no run of it gets there.

    `problem` and `fix` are sentences about `{name}`, the expression at fault.
    """

    id: int
    name: str
    problem: str
    fix: str


RAISES: Final[tuple[Raise, ...]] = (
    Raise(1090, "ZeroDivisionError", "`{name}` may be 0 here, for which Python raises ZeroDivisionError",
          "test it first: `if {name} == 0: return 0`"),
    Raise(1091, "IndexError", "`{name}` may be out of range here, for which Python raises IndexError",
          "compare it with the number of elements first"),
    Raise(1092, "ValueError", "`{name}` may be negative here, for which Python raises ValueError: negative shift count",
          "mask it: `{name} & 63`"),
    Raise(1093, "KeyError", "`{name}` may be missing here, for which Python raises KeyError",
          "ask first, with `in` or `.get()`"),
    Raise(1094, "TypeError", "`{name}` may be None here, for which Python raises TypeError",
          "test it first: `if {name} is None: return 0`"),
)  # fmt: skip
RAISES_BY_ID: Final = {row.id: row for row in RAISES}
RAISES_BY_NAME: Final = {row.name: row for row in RAISES}

# Known by name, so that a refusal can name them; no engine implements them yet.
PLANNED: Final = {
    12: "tail_call", 87: "map_push_elem", 88: "map_pop_elem", 89: "map_peek_elem", 93: "spin_lock", 94: "spin_unlock",
    164: "for_each_map_elem", 165: "snprintf", 169: "timer_init", 170: "timer_set_callback", 171: "timer_start",
    172: "timer_cancel", 177: "trace_vprintk", 181: "loop", 182: "strncmp", 195: "map_lookup_percpu_elem",
    197: "dynptr_from_mem", 198: "ringbuf_reserve_dynptr", 199: "ringbuf_submit_dynptr", 200: "ringbuf_discard_dynptr",
    201: "dynptr_read", 202: "dynptr_write", 203: "dynptr_data", 1001: "timeseries_push",
}  # fmt: skip
