"""What is on a board: a fact of pyinfra's, gathered by the board's own Python, changing nothing."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase

ON_BOARD: Final = Path(__file__).resolve().parents[1] / "on_board"
_NO_PYTHON: Final = "no-python"


@dataclass(frozen=True, slots=True)
class Observed:
    """A board and what earlier deploys left there. Versions are as its Python says them."""

    python: tuple[int, int, int]
    executable: str
    machine: str
    libc: tuple[str, str]
    markers: dict[str, str]
    model: str
    compatible: tuple[str, ...]
    free: int
    uid: int
    home: str
    systemd: bool
    agent: str
    wheels: frozenset[str]
    digests: dict[str, str]  # of the releases that were built, by their names
    proven: frozenset[str]
    current: str
    trial: bool
    active: str
    sub: str
    command: str
    rules: str
    config: str | None
    groups: frozenset[str]
    reboot: tuple[str, ...]
    step: bool
    holder: str
    texts: dict[str, str] = field(default_factory=dict)  # of the current release

    @property
    def running(self) -> str:
        """The release whose process runs, whatever `current` names; empty where none does."""
        if self.active not in ("active", "activating", "reloading"):
            return ""
        return next((ident for ident in self.digests if f"releases/{ident}/" in self.command), "")

    @property
    def generation(self) -> tuple[object, ...]:
        """What two looks must agree on, so that a plan made by the first is good for the second."""
        return (self.current, self.trial, sorted(self.digests.items()), self.rules, self.config, self.agent)


class OnBoard(FactBase[Observed | None]):
    """Everything about one application. None where the board has no Python by that name, or one that can't run it."""

    def command(self, root: str, app: str, python: str) -> StringCommand:
        """The text of observe.py travels in the command: nothing is on the board yet."""
        words = shlex.join([python, "-c", (ON_BOARD / "observe.py").read_text(), root, app])
        return StringCommand(
            f"if command -v {shlex.quote(python)} >/dev/null; then {words}; else echo {_NO_PYTHON}; fi"
        )

    def process(self, output: list[str]) -> Observed | None:
        """The last line: a shell's greeting may stand before it."""
        return None if output[-1].strip() == _NO_PYTHON else read_observed(json.loads(output[-1]))


def read_observed(found: dict[str, Any]) -> Observed:
    """Of what observe.py prints."""
    major, minor, micro = (int(part) for part in found["python"].split("."))
    releases = found["releases"]
    return Observed(
        python=(major, minor, micro), executable=found["executable"], machine=found["machine"],
        libc=(found["libc"][0], found["libc"][1]), markers=found["markers"], model=found["model"],
        compatible=tuple(filter(None, found["compatible"])), free=found["free"], uid=found["uid"], home=found["home"],
        systemd=found["systemd"], agent=found["agent"], wheels=frozenset(found["wheels"]),
        digests={name: marks["digest"] for name, marks in releases.items() if marks["digest"]},
        proven=frozenset(name for name, marks in releases.items() if marks["proven"]),
        current=found["current"], trial=found["trial"], active=found["active"], sub=found["sub"],
        command=found["command"], rules=found["rules"], config=found["config"] if found["has_config"] else None,
        groups=frozenset(found["groups"]), reboot=tuple(found["reboot"]), step=found["step"], holder=found["holder"],
        texts=found["texts"],
    )  # fmt: skip
