"""How the machine was started: which lines of config.txt are in force, when that was, and what the firmware saw since.

Source: Raspberry Pi's documentation, "Conditional filters": filters of one kind replace each other, those of different
kinds must all hold, `[all]` drops them, `[none]` is for nobody.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_hw.board import Found

CONFIG_FILES: Final = ("boot/firmware/config.txt", "boot/config.txt")  # the second is a leaflet since bookworm
DEFAULT_CONFIG: Final = "/boot/firmware/config.txt"

_FILTER: Final = re.compile(r"\[([^\]]+)\]")
_MODEL_FILTER: Final = re.compile(r"(pi|cm)\d\w*\+?")
_OVERLAY: Final = re.compile(r"dtoverlay=([\w-]+)")
_VCGENCMD_S: Final = 2
_BTIME: Final = re.compile(r"^btime (\d+)$", re.MULTILINE)
_INCLUDES_MAX: Final = 8  # nested that deep they include one another


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """A setting, such as `dtoverlay=pwm`. `filters` are the ones above it; `in_force`: all of them hold here."""

    place: str
    text: str
    filters: tuple[str, ...]
    in_force: bool
    commented: bool


@dataclass(frozen=True, slots=True)
class Config:
    """A file and what it includes. `changed_s` is when it was written last, in seconds since 1970."""

    path: str
    lines: tuple[ConfigLine, ...]
    changed_s: int

    def find(self, wanted: str) -> ConfigLine | None:
        """The best line that says `wanted`: one in force, else one under other filters, else one behind a `#`."""
        matching = [line for line in self.lines if _says(line.text, wanted)]
        ranked = sorted(matching, key=lambda line: (line.commented, not line.in_force))
        return ranked[0] if ranked else None

    def overlays(self, *names: str) -> tuple[str, ...]:
        """The `dtoverlay` lines in force of these overlays."""
        lines = (_plain(line.text) for line in self.lines if line.in_force and not line.commented)
        return tuple(text for text in lines if (found := _OVERLAY.match(text)) and found[1] in names)


def read_config(root: Path, found: Found) -> Config | None:
    """The config.txt that counts, as the machine that was found reads it; None where there is none."""
    for name in CONFIG_FILES:
        path = root / name
        try:
            changed = int(path.stat().st_mtime)
            lines = tuple(_lines(path, found, 0))
        except OSError:
            continue
        return Config(str(path), lines, changed)
    return None


def boot_time_s(root: Path) -> int:
    """When the machine started, in seconds since 1970; 0 where /proc/stat doesn't say it."""
    try:
        started = _BTIME.search((root / "proc/stat").read_text())
    except OSError:
        return 0
    return int(started[1]) if started else 0


def throttled(root: Path) -> int:
    """The bits of `vcgencmd get_throttled`; 0 on a machine without the command, or whose firmware doesn't answer."""
    command = root / "usr/bin/vcgencmd"
    if not command.exists():
        return 0
    try:
        said = subprocess.run(
            [str(command), "get_throttled"], capture_output=True, text=True, timeout=_VCGENCMD_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    bits = re.fullmatch(r"throttled=0x([0-9a-f]+)", said.strip())
    return int(bits[1], 16) if bits else 0


def _lines(path: Path, found: Found, depth: int) -> Iterator[ConfigLine]:
    filters: dict[str, str] = {}
    for number, raw in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        text = raw.strip()
        if named := _FILTER.fullmatch(text):
            _apply(filters, named[1].strip())
        elif text.startswith("include ") and depth < _INCLUDES_MAX:
            try:
                yield from _lines(path.parent / text.split(maxsplit=1)[1], found, depth + 1)
            except OSError:
                continue  # the firmware passes over it as well
        elif text:
            commented = text.startswith("#")
            setting = text.lstrip("# ") if commented else text.partition("#")[0].strip()
            in_force = all(_holds(one, found) for one in filters.values())
            yield ConfigLine(f"{path}:{number}", setting, tuple(filters.values()), in_force, commented)


def _apply(filters: dict[str, str], name: str) -> None:
    if name == "all":
        filters.clear()
        return
    kind = "model" if _MODEL_FILTER.fullmatch(name) or name == "none" else re.split(r"[=0-9]", name)[0]
    filters[kind] = name


def _holds(name: str, found: Found) -> bool:
    """Whether a filter holds here. What only the firmware knows (the screen, a pin's level) is taken to hold."""
    if name == "none":
        return False
    if found.model is None:
        return True
    if name.startswith("board-type="):
        return name.partition("=")[2].lower() in {f"{kind:#x}" for kind in found.model.types}
    return not _MODEL_FILTER.fullmatch(name) or name in found.model.sections


def _says(text: str, wanted: str) -> bool:
    """Whether a line says what another one does: `dtparam=audio=on,i2c_arm=on` says `dtparam=i2c_arm=on` too."""
    if _plain(text) == _plain(wanted):
        return True
    key, _, rest = wanted.partition("=")
    if key != "dtparam" or not text.startswith("dtparam="):
        return False
    return rest in [_plain(item) for item in text.partition("=")[2].split(",")]


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text)
