"""Imports flow down the layers and never up; third-party packages are imported in one place each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "axiom_hw"

# Lowest first. A module may import its own layer and any below it.
LAYERS = (
    ("errors",),
    ("bpf",),
    ("clock", "board", "calls", "events", "keys", "sections", "sensor_sections", "syscalls", "parts"),
    ("slots", "admission", "hooks", "backends", "adapters"),
    ("executor", "scheduler", "actuation", "pump", "recorder"),
    (
        "runtime",
        "app",
        "bench",
        "composing",
        "console",
        "engines",
        "keeping",
        "levels",
        "natives",
        "options",
        "outputs",
        "programs",
        "ready",
        "replay",
        "replay_diff",
        "service",
        "shared_maps",
        "source",
        "sources",
        "supervisor",
        "supervisor_process",
        "waiting",
        "watch",
    ),
    ("testing", "gpiozero_factory", "twin"),
    ("cli",),
)
BPF_LAYERS = (
    ("isa", "layout", "arithmetic"),
    ("insn", "spec", "helpers", "verified"),
    (
        "asm",
        "asm_code",
        "asm_file",
        "asm_text",
        "disasm",
        "strtab",
        "btf",
        "btf_read",
        "btf_ext",
        "elf",
        "cheader",
        "maps",
    ),
    ("frontend",),
    ("verifier", "engine"),
)
APART = {"verifier", "engine"}  # neither imports the other
ONE_PLACE = {
    "gpiod": "backends",
    "lgpio": "backends",
    "gpiozero": ("backends", "gpiozero_factory"),
    "smbus2": "backends",
    "serial": "backends",
    "elftools": "bpf/elf",
    "llvmlite": "bpf",
    "vcd": "recorder",
    "pyarrow": "recorder",
    "typer": "cli",
    "rich": "cli",
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(name: str, layers: tuple[tuple[str, ...], ...]) -> int:
    return next(i for i, names in enumerate(layers) if name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_flow_down(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts == ("__init__",) or parts == ("__main__",):
        return  # the map of the package names everything
    for name in imports_of(path):
        target = name.split(".")
        if target[0] != "axiom_hw":
            place = ONE_PLACE.get(target[0])
            assert place is None or "/".join(parts).startswith(place), f"{target[0]} belongs in {place}"
            continue
        if len(target) < 2:
            continue
        assert layer(target[1], LAYERS) <= layer(parts[0], LAYERS), f"{'.'.join(parts)} imports {name}, which is above"
        if parts[0] == target[1] == "bpf" and len(parts) > 1 and len(target) > 2 and parts[1] != "__init__":
            here, there = parts[1], target[2]
            assert layer(there, BPF_LAYERS) <= layer(here, BPF_LAYERS), f"bpf/{here} imports {name}, which is above"
            assert here == there or not {here, there} <= APART, f"bpf/{here} and bpf/{there} must not know each other"


def test_no_file_is_too_long() -> None:
    root = ROOT.parent
    for path in [*modules(), *(root / "tests").rglob("*.py"), *(root / "demos").rglob("*.py")]:
        lines = len(path.read_text().splitlines())
        assert lines <= 500, f"{path.relative_to(root)} has {lines} lines; 500 is the limit: split it"
