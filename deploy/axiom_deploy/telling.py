"""What state a board is in, in one sentence, and what to do: the last thing that a deploy says of each board."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from pyinfra.api.exceptions import ConnectError

from axiom_deploy.errors import Cut, DeployError

if TYPE_CHECKING:
    from axiom_deploy.observing import Observed
    from axiom_deploy.planning import Plan
    from axiom_deploy.session import Session

_TRIES: Final = 5
_PAUSE_S: Final = 1.0


class Outcome(Enum):
    """How a deploy to one board ended."""

    NEW = "new"
    SAME = "same"
    FAILED = "failed"


@dataclass(slots=True)
class Teller:
    """Collects what became of each board.

    Synchronization: greenlets of one thread.
    """

    sentences: dict[str, str] = field(default_factory=dict)
    failures: set[str] = field(default_factory=set)

    def says(self, where: str, text: str) -> None:
        """A line of progress."""
        print(f"[{where}] {text}", flush=True)

    def ended(self, where: str, outcome: Outcome, plan: Plan) -> None:
        """A deploy that went well, or had nothing to do."""
        runs = f"{where}: release {plan.release} of {plan.settings.name} runs"
        text = f"{runs}; 0 changes" if outcome is Outcome.SAME else runs
        if plan.seen.reboot or any("REBOOT" in change.what for change in plan.changes):
            lines = ", ".join(plan.bundle.config or plan.seen.reboot)
            text += f"\n    REBOOT REQUIRED before {lines} of config.txt is in force: ssh {where} sudo reboot"
        self.sentences[where] = text

    def untouched(self, where: str, error: Exception) -> None:
        """A deploy that ended before anything was changed."""
        self.failures.add(where)
        self.sentences[where] = f"{error}\n{where}: nothing was changed there by this deploy"

    def failed(self, session: Session, error: DeployError, doing: str) -> None:
        """A deploy that ended in the middle of a step: the board is asked what runs, anew connected if need be."""
        where = session.where
        self.failures.add(where)
        self.sentences[where] = f"{error}\n{where}: {_state(session, error, doing)}"


def running(seen: Observed | None) -> str:
    """What runs, as a sentence without its subject."""
    if seen is None or not (seen.current or seen.running):
        return "no release runs, as none was proven there yet"
    ident = seen.running or seen.current
    age = "unproven" if ident not in seen.proven else "proven"
    if seen.running and seen.active == "active":
        behind = f", and {seen.current} starts next" if seen.running != seen.current else ""
        return f"the {age} release {ident} runs{behind}"
    if seen.active == "activating":
        return f"the {age} release {ident} is starting"
    return f"no release runs: {ident} is {seen.active}, its outputs safe"


def _state(session: Session, error: DeployError, doing: str) -> str:
    try:
        if not session.alive():
            _again(session)
        seen = session.settled()
    except (ConnectError, DeployError):
        return (
            f"it can't be reached any more since `{doing}`. Until the switch the old release runs; a switch is ended "
            "by the board itself, with the new release running or the old one. When it answers: make deploy-status "
            "HOST=... says which, and deploying again goes on from there"
        )
    fix = "deploy again: what has arrived isn't sent twice" if isinstance(error, Cut) else "mend it, and deploy again"
    if seen is not None and seen.reboot and not isinstance(error, Cut):
        fix = (
            f"{', '.join(seen.reboot)} of config.txt isn't in force before a reboot: reboot the board, and deploy again"
        )
    return f"{running(seen)}; {fix}"


def _again(session: Session) -> None:
    host = session.host
    for left in range(_TRIES, 0, -1):
        host.connected = False
        try:
            host.connect(show_errors=False, raise_exceptions=True)
        except ConnectError:
            if left == 1:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
