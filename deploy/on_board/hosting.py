"""What an application needs of the board around it: groups, rules of udev, lines of config.txt; and how all goes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import units
from activating import disable
from boot_config import with_block
from place import Place, Trouble, remove, write_whole

_BOOT_ID: Final = Path("proc/sys/kernel/random/boot_id")
_SUBSYSTEMS: Final = ("gpio", "pwm", "iio", "i2c-dev", "tty")
_STATE: Final = ("var/lib/axiom_hw", "var/lib/private/axiom_hw", "var/cache/axiom_hw", "var/cache/private/axiom_hw")


def remember(place: Place) -> None:
    """Note what was there before the first deploy, for the day on which all is taken away."""
    if not (place.base / "made.json").exists():
        write_whole(place.base / "made.json", json.dumps(_made(place)).encode())


def prepare(place: Place, ident: str) -> None:
    """Bring the board to what the manifest of a release says. What is so already isn't touched."""
    manifest = json.loads((place.release(ident) / "manifest.json").read_text())
    made = _made(place)
    for group in manifest["groups"]:
        if not _has_group(place, group):
            _user_tool(place, "groupadd", "--system", group)
            made["groups"] = [*made["groups"], group]
    write_whole(place.base / "made.json", json.dumps(made).encode())
    rules = manifest["rules"]
    if rules and (not place.rules.exists() or place.rules.read_text() != rules):
        place.rules.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place.rules, rules.encode())
        _udev()
    elif not rules and place.rules.exists():
        remove(place.rules)
        _udev()
    if place.config.exists():
        _configure(place, manifest["config"])


def uninstall(place: Place, *, forget_stop: bool) -> None:
    """Take everything away that deploys brought. Raises `Trouble` for a latched stop."""
    last = not place.others()
    latched = sorted(path for state in _STATE for path in (place.root / state).glob("*.stop")) if last else []
    if latched and not forget_stop:
        raise Trouble(
            f"the emergency stop is latched ({latched[0]}), and uninstall would forget it: see why, release it with "
            f"{place.base}/current/venv/bin/axiom-hw stop release, or say --forget-stop"
        )
    made = _made(place)
    units.stop(place.unit)
    disable(place)
    if place.rules.exists():
        remove(place.rules)
        _udev()
    if place.config.exists():
        _configure(place, [])
        remove(_backup(place))
    if last:
        for path in _STATE if not made["state_was_there"] else ():
            remove(place.root / path)
        with suppress(OSError):  # of the units' runtime directories, which systemd made, and would keep until a reboot
            (place.root / "run/axiom_hw").rmdir()
        for group in made["groups"]:
            if _has_group(place, group):
                _user_tool(place, "groupdel", group)
    else:  # the others use groups and state, too: the last one that goes takes them along
        heir = Place(place.root, place.others()[0].name)
        theirs = _made(heir)
        theirs["groups"] = sorted({*theirs["groups"], *made["groups"]})
        theirs["state_was_there"] = made["state_was_there"]
        write_whole(heir.base / "made.json", json.dumps(theirs).encode())
    remove(place.base)  # last: whoever was cut off begins again, and still knows what was made
    if last and place.base.parent.is_dir():
        place.base.parent.rmdir()


def boot_id(root: Path) -> str:
    """Another one after each start of the machine."""
    path = root / _BOOT_ID if (root / _BOOT_ID).exists() else Path("/") / _BOOT_ID
    return path.read_text().strip()


def _configure(place: Place, lines: Sequence[str]) -> None:
    text = place.config.read_text()
    backup = _backup(place)
    wanted = with_block(text, place.name, lines)
    if not lines and backup.exists() and backup.read_text().rstrip("\n") == wanted.rstrip("\n"):
        wanted = backup.read_text()  # to the byte, whatever its last line ended with
    if not lines:
        remove(place.base / "reboot.json")
    if wanted == text:
        return
    mode = place.config.stat().st_mode & 0o7777
    if lines and not backup.exists():
        write_whole(backup, text.encode(), mode)
    write_whole(place.config, wanted.encode(), mode)
    if lines:
        told = {"boot_id": boot_id(place.root), "lines": list(lines)}
        write_whole(place.base / "reboot.json", json.dumps(told).encode())


def _backup(place: Place) -> Path:
    return place.config.with_name(f"config.txt.before-axiom-{place.name}")


def _made(place: Place) -> dict[str, Any]:
    try:
        return dict(json.loads((place.base / "made.json").read_text()))
    except (OSError, ValueError):
        return {"groups": [], "state_was_there": any((place.root / path).exists() for path in _STATE)}


def _has_group(place: Place, group: str) -> bool:
    return any(line.startswith(f"{group}:") for line in (place.root / "etc/group").read_text().splitlines())


def _user_tool(place: Place, *words: str) -> None:
    prefix = [] if place.root == Path("/") else ["--prefix", str(place.root)]
    done = subprocess.run([words[0], *prefix, *words[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(f"`{' '.join(words)}` failed: {done.stderr.strip()}")


def _udev() -> None:
    """Rules are read again, and what is there already is treated by them. A machine without udev has none to treat."""
    matches = [f"--subsystem-match={name}" for name in _SUBSYSTEMS]
    for words in (["udevadm", "control", "--reload"], ["udevadm", "trigger", "--action=change", *matches]):
        try:
            subprocess.run(words, capture_output=True, check=False, timeout=30)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return
