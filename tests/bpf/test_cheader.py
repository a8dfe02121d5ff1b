"""The C header: printed from the tables, and the same as the one beside the demo."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from axiom_hw import events
from axiom_hw.bpf import cheader, helpers
from axiom_hw.bpf.spec import MapType

HEADER = Path(__file__).parents[2] / "demos/heartbeat/axiom_hw.bpf.h"
CLANG = shutil.which("clang")


def rendered() -> str:
    return cheader.render(helpers.TABLE, events.CONTEXTS, [events.Edge])


def test_the_checked_in_header_is_the_printed_one() -> None:
    assert HEADER.read_text() == rendered(), "print it again: make -B -C demos/heartbeat axiom_hw.bpf.h"


def test_every_helper_has_a_prototype_with_its_id() -> None:
    found = dict(re.findall(r"\(\*const (\w+)\)\(.*\) __attribute__\(\(unused\)\) = \(void \*\)(\d+);", rendered()))
    expected = {row.name if row.id >= 1000 else f"bpf_{row.name}": str(row.id) for row in helpers.TABLE}
    assert found == expected


def test_prototypes_follow_the_arguments() -> None:
    text = rendered()
    assert "static void *(*const bpf_map_lookup_elem)(void *map, const void *key)" in text
    assert "static void *(*const bpf_ringbuf_reserve)(void *map, __u64 size, __u64)" in text
    assert "static __u64 (*const bpf_ktime_get_ns)(void)" in text
    assert "static long (*const gpio_set)(__u64, __u64)" in text


def test_every_argument_and_result_has_a_c_type() -> None:
    for number, argument in enumerate(helpers.Arg):
        cheader.render([helpers.Helper(number, "probe", (argument,), helpers.Ret.VOID)], [])
    for result in helpers.Ret:
        assert "(*const bpf_probe)(void)" in cheader.render([helpers.Helper(1, "probe", (), result)], [])


def test_contexts_and_map_types() -> None:
    text = rendered()
    for layout in events.CONTEXTS:
        assert layout.c_struct() in text
    for kind in MapType:
        assert f"\tBPF_MAP_TYPE_{kind.name} = {kind.value}," in text
    assert "\tEDGE_FALLING = 2," in text


@pytest.mark.skipif(CLANG is None, reason="clang is not installed")
def test_it_compiles_by_itself_without_a_warning(tmp_path: Path) -> None:
    source = tmp_path / "probe.c"
    checks = "".join(
        f'_Static_assert(__builtin_offsetof(struct {c.name}, {f.name}) == {f.offset}, "{f.name}");\n'
        for c in events.CONTEXTS
        for f in c.fields
    )
    sizes = "".join(f'_Static_assert(sizeof(struct {c.name}) == {c.size}, "{c.name}");\n' for c in events.CONTEXTS)
    body = 'SEC("timer/1s") int f(void *ctx) { bpf_printk("%d", 1); bpf_printk("none"); return gpio_get(17); }\n'
    source.write_text('#include "axiom_hw.bpf.h"\n' + checks + sizes + body)
    command = [str(CLANG), "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-target", "bpf"]
    done = subprocess.run(
        [*command, f"-I{HEADER.parent}", "-c", str(source), "-o", str(tmp_path / "probe.o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
