"""What systemd is asked: always by its command, always with a limit in time."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Final

_START_S: Final = 150  # more than TimeoutStartSec= of the unit and TimeoutStopSec= of the one before it
_ASK_S: Final = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """What systemd says of a unit."""

    active: str
    sub: str
    pid: int
    restarts: int

    @property
    def runs(self) -> bool:
        return self.active == "active" and self.pid > 0


def show(unit: str) -> Shown:
    """The state of a unit; one that systemd doesn't know is inactive."""
    text = _ask("systemctl", "show", unit, "--property=ActiveState,SubState,MainPID,NRestarts").stdout
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return Shown(
        found.get("ActiveState", "unknown"), found.get("SubState", ""),
        int(found.get("MainPID") or 0), int(found.get("NRestarts") or 0),
    )  # fmt: skip


def reload() -> None:
    """Have systemd read its units again."""
    _ask("systemctl", "daemon-reload")


def restart(unit: str) -> bool:
    """Start a unit anew; returns when it said that it is ready, or failed. Whether it is ready."""
    _ask("systemctl", "reset-failed", unit)
    try:
        return _ask("systemctl", "restart", unit, limit_s=_START_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def stop(unit: str) -> None:
    """Stop a unit, and forget that it failed."""
    _ask("systemctl", "stop", unit, limit_s=_START_S)
    _ask("systemctl", "reset-failed", unit)


def last_lines(unit: str, count: int) -> list[str]:
    """What a unit said last."""
    said = _ask("journalctl", "--unit", unit, "--lines", str(count), "--no-pager", "--output", "cat").stdout
    return said.splitlines()


def _ask(*words: str, limit_s: float = _ASK_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, capture_output=True, text=True, timeout=limit_s, check=False, stdin=subprocess.DEVNULL, errors="replace"
    )
