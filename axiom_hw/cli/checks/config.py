"""What to do so that config.txt says a line: it is there already, under another filter, behind a `#`, or not yet."""

from __future__ import annotations

from axiom_hw.backends.survey import Machine
from axiom_hw.backends.survey_boot import DEFAULT_CONFIG

_CLOCK_SLACK_S = 60  # the clock of a Pi without a battery is wrong until the network sets it


def to_have(line: str, machine: Machine) -> str:
    """The way to get `line` into force on this machine."""
    config = machine.config
    if config is None:
        return f"write {line} under [all] in {DEFAULT_CONFIG}, and reboot"
    found = config.find(line)
    if found is None:
        return f"write {line} under [all] at the end of {config.path}, and reboot"
    if found.commented:
        return f"take the # away in front of {line}, {found.place}, and reboot"
    if not found.in_force:
        filters = " ".join(f"[{name}]" for name in found.filters)
        return f"{found.place} has {line}, but under {filters}, which isn't for here: move it under [all], and reboot"
    if machine.started_s and config.changed_s > machine.started_s + _CLOCK_SLACK_S:
        return f"{found.place} has {line}, written since this machine started: sudo reboot"
    why = "`sudo vclog --msg` and `dmesg` say why it had no effect"
    return f"{found.place} has {line}, and it was read at the start: {why}"
