"""The switch from one release to another, decided on the board: a laptop that goes away in the middle changes nothing.

1. trial.json says from where to where.     a cut here: the old release runs
2. `current` is swapped by rename           a cut here, or later: who next starts the unit goes back (`check`)
3. the unit is started, and must say that it is ready: a self-test event has passed through its hooks
4. it must run on for `settle_s`
5. the release is proven, trial.json goes   or: `current` is swapped back, and the old release started
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import units
from place import Busy, Place, Trial, Trouble, locked, remove, take_lock, write_whole

TAIL_LINES: Final = 12


class Ending(IntEnum):
    """How a switch ended: the exit status of the agent."""

    NEW = 0  # the wanted release runs
    OLD = 10  # it failed, and the one before runs
    NONE = 11  # it failed, and nothing runs


@dataclass(frozen=True, slots=True)
class Settings:
    """How long a release must run before it counts, and how many are kept."""

    settle_s: float = 3.0
    keep: int = 5


def activate(place: Place, new: str, settings: Settings) -> Ending:
    """Switch to a release, and back where it fails. The caller holds the step lock. Raises `Trouble`."""
    if new not in place.sealed():
        there = ", ".join(place.sealed()) or "none"
        raise Trouble(f"there is no release {new}; there are {there}")
    old = place.current()
    place.begin_trial(Trial(new, old))
    _enable(place)
    place.point_at(new)
    units.reload()
    _say(f"starting {new}, which must say that it is ready")
    if _healthy(place, settings.settle_s):
        write_whole(place.release(new) / "proven", b"")
        place.end_trial()
        prune(place, settings.keep)
        return Ending.NEW
    for line in units.last_lines(place.unit, TAIL_LINES):
        _say(f"  | {line}")
    _say(f"{new} isn't healthy")
    return _go_back(place, old, new, settings)


def recover(place: Place) -> str:
    """End a switch that was cut off: back to the release before it, in links only. What was done, empty if nothing.

    A first release has none before it, and stays: its unit says itself whether it is ready.
    """
    trial = place.trial()
    if trial is None:
        return ""
    if trial.old and trial.old in place.sealed() and place.current() != trial.old:
        place.point_at(trial.old)
        units.reload()
        place.end_trial()
        return f"a switch to {trial.new} was cut off before it was proven: back to {trial.old}"
    place.end_trial()
    return f"a switch to {trial.new} was cut off"


def clear_up(place: Place) -> None:
    """End a switch that was cut off, for whoever comes next: what runs is the release before it, too."""
    if done := recover(place):
        _say(done)
        if units.show(place.unit).active != "inactive":
            units.restart(place.unit)


def check(place: Place, release: str) -> int:
    """Before each start of the unit, by systemd: whether this release may start. Not 0: systemd tries again.

    While somebody decides on a switch, it may; after a switch that nobody decides any more, the old release starts.
    """
    if place.trial() is None:
        return 0
    try:
        with locked(place.step_lock):
            done = recover(place)
    except Busy:
        return 0
    _say(done)
    return 0 if place.current() == release else 1


def prune(place: Place, keep: int) -> None:
    """Remove releases that never ran, and of the others all but the newest `keep`; and wheels that none needs."""
    kept = {*place.proven()[-keep:], place.current()}
    for ident in place.all():
        if ident not in kept:
            remove(place.release(ident))
    needed = set()
    for ident in kept - {""}:
        lock = json.loads((place.release(ident) / "lock.json").read_text())
        needed |= {f"{digest}-{name}" for name, digest in lock["wheels"].items()}
    for wheel in list(place.wheels.iterdir()) if place.wheels.is_dir() else []:
        if wheel.name not in needed:
            remove(wheel)


def _healthy(place: Place, settle_s: float) -> bool:
    if not units.restart(place.unit):
        return False
    before = units.show(place.unit)
    time.sleep(settle_s)  # one that is ready and falls over at its first event is no good release
    after = units.show(place.unit)
    return before.runs and after.runs and after.pid == before.pid


def _go_back(place: Place, old: str, new: str, settings: Settings) -> Ending:
    if old and old != new and old in place.sealed():
        _say(f"going back to {old}")
        place.point_at(old)
        units.reload()
        healthy = _healthy(place, settings.settle_s)
        place.end_trial()
        return Ending.OLD if healthy else Ending.NONE
    units.stop(place.unit)
    if not old:
        place.point_at("")
        disable(place)
    place.end_trial()
    return Ending.NONE


def _enable(place: Place) -> None:
    """The unit is the one of `current`, so that one rename switches it too."""
    for link, target in (
        (place.unit_link, str(place.base / "current" / place.unit)),
        (place.wants_link, f"../{place.unit}"),
    ):
        if link.is_symlink() and os.readlink(link) == target:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        new = link.with_name(f".{link.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.rename(link)


def disable(place: Place) -> None:
    """Take the unit away from systemd."""
    for link in (place.wants_link, place.unit_link):
        link.unlink(missing_ok=True)
    units.reload()


def detached(place: Place, new: str, settings: Settings) -> int:
    """`activate` in a process of its own, which goes on when this one is killed; its words are repeated here."""
    log = place.base / "activation.log"
    lock = take_lock(place.step_lock, wait_s=60)
    clear_up(place)
    log.write_text("")
    child = os.fork()
    if child == 0:
        _as_child(place, new, settings, log)
    os.close(lock)  # the child's copy holds it from now on
    with open(log) as words:
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            while text := words.read():
                print(text, end="", flush=True)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)


def _as_child(place: Place, new: str, settings: Settings, log: os.PathLike[str]) -> None:
    """Never returns."""
    code = int(Ending.NONE)
    try:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, source in ((0, nothing), (1, out), (2, out)):
            os.dup2(source, number)
        code = int(activate(place, new, settings))
    except Trouble as trouble:
        _say(str(trouble))
        code = 1
    finally:
        place.step_lock.unlink(missing_ok=True)
        os._exit(code)


def _say(text: str) -> None:
    print(text, flush=True)
