"""The C header for programs, `axiom_hw.bpf.h`: prototypes, contexts and map types, printed from the tables.

It needs no other header: C programs compile with clang alone, on machines without kernel headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from axiom_hw.bpf.helpers import Arg, Helper, Ret
from axiom_hw.bpf.layout import Layout
from axiom_hw.bpf.spec import MapFlag, MapType

FIRST_HARDWARE_ID: Final = 1000  # helpers from here on are this project's, and carry no prefix

_ARGUMENT: Final = {
    Arg.SCALAR: "__u64",
    Arg.OPTIONAL: "__u64",
    Arg.MAP: "void *map",
    Arg.MAP_KEY: "const void *key",
    Arg.MAP_VALUE: "const void *value",
    Arg.MEM_IN: "const void *data",
    Arg.SIZE: "__u32 size",
    Arg.SIZE_OR_ZERO: "__u64 size",
    Arg.RECORD: "void *record",
    Arg.RECORD_SIZE: "__u64 size",
}
_RESULT: Final = {
    Ret.SCALAR: "long",
    Ret.VOID: "void",
    Ret.MAP_VALUE_OR_NULL: "void *",
    Ret.RECORD_OR_NULL: "void *",
}
# Helpers whose number is unsigned, as in Linux's bpf_helpers.h; the others return -errno.
_UNSIGNED: Final = {
    "ktime_get_ns": "__u64",
    "get_prandom_u32": "__u32",
    "get_smp_processor_id": "__u32",
    "ringbuf_query": "__u64",
}

_START: Final = """\
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a C program for axiom_hw needs, and all of it: no kernel headers.
 * Printed by axiom_hw/bpf/cheader.py from the tables of helpers and contexts; don't edit it.
 */
#ifndef AXIOM_HW_BPF_H
#define AXIOM_HW_BPF_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;

#ifndef NULL
#define NULL ((void *)0)
#endif

/* A program's hook, or ".maps" for a map. */
#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

/* The members of a map's declaration. */
#define __uint(name, value) int (*name)[value]
#define __type(name, ...) __typeof__(__VA_ARGS__) *name
#define __array(name, ...) __typeof__(__VA_ARGS__) *name[]
"""

_SPECIAL: Final = """\
/* Members of a map value that only helpers touch. */
struct bpf_timer {
\t__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_wq {
\t__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_spin_lock {
\t__u32 opaque;
};
"""

_FLAGS: Final = """\
/* Flags of bpf_map_update_elem. */
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };

/* Flags of bpf_ringbuf_output, _submit and _discard, and what bpf_ringbuf_query tells. */
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1, BPF_RB_CONS_POS = 2, BPF_RB_PROD_POS = 3 };

/* For `__uint(pinning, ...)`: processes that load the object share the map by its name. */
#define LIBBPF_PIN_BY_NAME 1
"""

_END: Final = """\
/* Print a format with up to three numbers: bpf_printk("line %d is %d", line, value). */
#define bpf_printk(format, ...) __axiom_printk(format, ##__VA_ARGS__, 0, 0, 0, 0)
#define __axiom_printk(format, a, b, c, ...) ({ \\
\tstatic const char text[] = format; \\
\tbpf_trace_printk(text, sizeof(text), (__u64)(a), (__u64)(b), (__u64)(c)); \\
})

#endif
"""


def render(helpers: Sequence[Helper], contexts: Sequence[Layout], enums: Sequence[type[IntEnum]] = ()) -> str:
    """The whole header, deterministic: `helpers` in their order, a struct for each of `contexts`, `enums` by name."""
    parts = [
        _START,
        _enum("bpf_map_type", "BPF_MAP_TYPE_", MapType),
        _enum("bpf_map_flag", "BPF_F_", MapFlag),
        _FLAGS,
        _SPECIAL,
        *(_enum(enum.__name__.lower(), f"{enum.__name__.upper()}_", enum) for enum in enums),
        *(_context(layout) for layout in contexts),
        *(_prototype(helper) for helper in helpers),
        _END,
    ]
    return "\n".join(parts)


def _enum(name: str, prefix: str, values: type[IntEnum]) -> str:
    rows = "".join(f"\t{prefix}{value.name} = {value.value},\n" for value in values)
    return f"enum {name} {{\n{rows}}};\n"


def _context(layout: Layout) -> str:
    return f"{_comment(layout.doc)}{layout.c_struct()}\n"


def _prototype(helper: Helper) -> str:
    name = helper.name if helper.id >= FIRST_HARDWARE_ID else f"bpf_{helper.name}"
    result = _UNSIGNED.get(helper.name) or _RESULT[helper.ret]
    arguments = ", ".join(_ARGUMENT[arg] for arg in helper.args) or "void"
    space = "" if result.endswith("*") else " "
    # clang folds the constant pointer into `call <id>`; unused, for that no program calls them all.
    return (
        f"{_comment(helper.doc)}static {result}{space}(*const {name})({arguments})"
        f" __attribute__((unused)) = (void *){helper.id};\n"
    )


def _comment(text: str) -> str:
    return f"/* {' '.join(text.split())} */\n" if text else ""
