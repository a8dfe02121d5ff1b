"""Maps on shared memory in a documented byte format (docs/map-format.md), and the views that users hold.

mem         Mem, and the raw loads, stores and atomics
header      the first 64 bytes of each map
array       arrays: operations and object
hash        operations of hash maps, lock-free;     hash_map   the object
ring        operations of ring buffers, lock-free;  ringbuf    the object
create      from a declaration to a live map
codec       bytes to values and back;  view   maps as mappings;  ring_reader   rings as iterators
"""

from axiom_hw.bpf.maps.array import ArrayMap
from axiom_hw.bpf.maps.base import Table
from axiom_hw.bpf.maps.create import MEMORY_LIMIT_BYTES, Map, create_map, map_bytes
from axiom_hw.bpf.maps.hash_map import HashMap
from axiom_hw.bpf.maps.mem import Mem, Window
from axiom_hw.bpf.maps.pin import pinned_map
from axiom_hw.bpf.maps.ring_reader import RingReader
from axiom_hw.bpf.maps.ringbuf import RingBuf
from axiom_hw.bpf.maps.view import ArrayView, HashView, view_of
from axiom_hw.bpf.maps.waiter import PipeWaiter, Waiter

__all__ = [
    "MEMORY_LIMIT_BYTES",
    "ArrayMap",
    "ArrayView",
    "HashMap",
    "HashView",
    "Map",
    "Mem",
    "PipeWaiter",
    "RingBuf",
    "RingReader",
    "Table",
    "Waiter",
    "Window",
    "create_map",
    "map_bytes",
    "pinned_map",
    "view_of",
]
