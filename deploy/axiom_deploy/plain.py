"""A deploy under pyinfra's own command line: the same steps, and the same last sentence behind pyinfra's own."""

from __future__ import annotations

import atexit
from typing import Final

from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State

from axiom_deploy.driving import show
from axiom_deploy.errors import DeployError
from axiom_deploy.session import Session
from axiom_deploy.settings import KEYS, read_settings
from axiom_deploy.steps import add_steps, let_go, plan_for
from axiom_deploy.telling import Outcome, Teller

_TELLER: Final = Teller()


def deploy_host(state: State, host: Host) -> None:
    """Plan for one host, show it, and hand its steps to pyinfra. Raises `PyinfraError` where there is no going on."""
    if not _TELLER.sentences:
        atexit.register(_tell)
    try:
        session = Session(host, read_settings({key: host.data.get(key) for key in KEYS}))
        plan = plan_for(session)
    except DeployError as error:
        _TELLER.untouched(host.name, error)
        raise PyinfraError(str(error)) from error
    show(plan, host.name, diff=bool(state.config.DIFF))
    if not plan.changes:
        _TELLER.ended(host.name, Outcome.SAME, plan)
    add_steps(session, plan, _TELLER)


def _tell() -> None:
    for where, sentence in _TELLER.sentences.items():
        let_go(where)
        print(sentence, flush=True)
    _TELLER.sentences.clear()
