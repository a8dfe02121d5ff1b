"""What is different between a board and what it shall have: what a deploy would change. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import unified_diff
from enum import Enum
from typing import Final

from axiom_deploy.bundle import HERE, Bundle, make_bundle
from axiom_deploy.checks import check_board, check_space
from axiom_deploy.observing import Observed
from axiom_deploy.settings import Settings
from axiom_deploy.shared import agent, sha256, with_block
from axiom_deploy.verifying import Application
from axiom_deploy.wheels import Wheel, wheelhouse

_STAMP: Final = "%Y%m%dT%H%M%SZ"


class Step(Enum):
    """The steps of a deploy, in order; the values are what people read."""

    AGENT = "put the agent in place"
    WHEELS = "send wheels"
    RELEASE = "send and build the release"
    HOST = "prepare the board"
    ACTIVATE = "switch, and wait for the health gate"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the step that ends it, what it is, and its text line by line where it is one."""

    step: Step
    what: str
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A deploy of one application to one board. Without changes there is nothing to do."""

    settings: Settings
    seen: Observed
    bundle: Bundle
    release: str
    wheels: tuple[Wheel, ...]
    changes: tuple[Change, ...]

    def of(self, step: Step) -> tuple[Change, ...]:
        """The changes of one step."""
        return tuple(change for change in self.changes if change.step is step)


def make_plan(
    where: str, seen: Observed | None, sudo: bool, application: Application, settings: Settings, now: datetime
) -> Plan:
    """Check the board, make the release for it, and compare. Raises `DeployError`."""
    board = None if "--mock" in settings.args else application.board
    seen = check_board(where, seen, settings, board, sudo)
    wheels = wheelhouse(seen, application.requirements, settings.wheel, where)
    bundle = make_bundle(application, wheels, seen, settings)
    same = sorted(ident for ident, digest in seen.digests.items() if digest == bundle.digest)
    release = seen.current if seen.current in same else same[-1] if same else _name(seen, bundle, now)
    missing = () if same else tuple(wheel for wheel in wheels if wheel.directory not in seen.wheels)
    if not same:
        linked = _text(bundle, "lock.json") == seen.texts.get("lock.json", "")
        unpacked = 0 if linked else sum(wheel.size for wheel in wheels)
        check_space(where, seen, sum(wheel.size for wheel in missing), unpacked)
    changes = (
        *_agent(seen), *_wheels(missing), *(() if same else _release(seen, bundle, release)),
        *_host(seen, bundle, settings), *_switch(seen, release),
    )  # fmt: skip
    return Plan(settings, seen, bundle, release, missing, changes)


def _name(seen: Observed, bundle: Bundle, now: datetime) -> str:
    """Dated, and later than any that is there, whatever the clocks of other laptops said."""
    stamp = now.astimezone(UTC)
    newest = max((ident.partition("-")[0] for ident in seen.digests), default="")
    if newest >= stamp.strftime(_STAMP):
        stamp = datetime.strptime(newest, _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
    return f"{stamp.strftime(_STAMP)}-{bundle.digest[:8]}"


def _agent(seen: Observed) -> Iterator[Change]:
    if seen.agent != sha256(agent()):
        yield Change(
            Step.AGENT,
            "agent.pyz, the part of a deploy that runs on the board" + (" (another version)" * bool(seen.agent)),
        )


def _wheels(missing: tuple[Wheel, ...]) -> Iterator[Change]:
    for wheel in missing:
        yield Change(Step.WHEELS, f"{wheel.name} ({wheel.size / 1e6:.1f} MB)")


def _release(seen: Observed, bundle: Bundle, release: str) -> Iterator[Change]:
    yield Change(Step.RELEASE, f"releases/{release}, new")
    if not seen.current:
        yield from (Change(Step.RELEASE, f"  {name}") for name, _ in bundle.files)
        return
    here = seen.texts
    new = {name: data.decode(errors="replace") for name, data in bundle.files}
    root = f"releases/{seen.current}"
    for name in sorted({*new, *here}):
        before, after = here.get(name), new.get(name)
        if name.endswith(".service") and before is not None:
            before = _unplaced(before, root)
        if before == after:
            continue
        word = "new" if before is None else "gone" if after is None else "changed"
        yield Change(Step.RELEASE, f"  {name}: {word}", _diff(name, before or "", after or ""))


def _host(seen: Observed, bundle: Bundle, settings: Settings) -> Iterator[Change]:
    for group in bundle.groups:
        if group not in seen.groups:
            yield Change(Step.HOST, f"group {group}: made")
    if seen.rules != bundle.rules:
        name = f"/etc/udev/rules.d/70-axiom-{settings.name}.rules"
        yield Change(Step.HOST, name, _diff(name, seen.rules, bundle.rules))
    if seen.config is None:
        return
    wanted = with_block(seen.config, settings.name, bundle.config)
    if wanted.rstrip("\n") != seen.config.rstrip("\n"):
        name = "/boot/firmware/config.txt"
        yield Change(Step.HOST, f"{name}, with a backup; REBOOT REQUIRED afterwards", _diff(name, seen.config, wanted))


def _switch(seen: Observed, release: str) -> Iterator[Change]:
    if seen.current != release:
        yield Change(Step.ACTIVATE, f"current: {seen.current or 'nothing'} -> {release}")
    elif seen.trial:
        yield Change(Step.ACTIVATE, f"{release} was never proven: its deploy was cut off")
    elif seen.active != "active" or seen.running != release:
        runs = f"{seen.running} runs" if seen.running else f"it is {seen.active}"
        yield Change(Step.ACTIVATE, f"start {release}: {runs}")


def _text(bundle: Bundle, name: str) -> str:
    return dict(bundle.files)[name].decode()


def _unplaced(text: str, root: str) -> str:
    """A unit as it was before its release had a directory."""
    words = {word for line in text.split() for word in line.split("=") if root in word}
    places = {word[: word.index(root) + len(root)] for word in words}
    for place in places:
        text = text.replace(place, HERE)
    return text


def _diff(name: str, before: str, after: str) -> tuple[str, ...]:
    lines = unified_diff(before.splitlines(), after.splitlines(), f"{name} (on the board)", name, lineterm="")
    return tuple(lines)
