"""One run of pyinfra, as a library: connect to the boards, plan, show, run, and say how each board is left."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from socket import gaierror
from typing import Final

from paramiko import AuthenticationException, BadHostKeyException
from pyinfra.api.config import Config
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.output import set_echo
from pyinfra.api.state import State, StateStage
from pyinfra.context import ctx_host, ctx_state

from axiom_deploy.errors import DeployError, Unreachable
from axiom_deploy.planning import Plan
from axiom_deploy.session import Session
from axiom_deploy.settings import Address, Settings
from axiom_deploy.steps import add_steps, application_of, let_go, plan_for
from axiom_deploy.telling import Outcome, Teller

_CONNECT_S: Final = 15


def _echo(text: object = "", **_: object) -> None:
    print(text, flush=True)


def _be_library() -> None:
    """pyinfra's own words, which would say twice what is said here, are silent; a journal's lines are printed."""
    set_echo(_echo)
    for name in ("pyinfra", "paramiko"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False


class Boards:
    """Boards that are connected to, those that can be.

    Synchronization: one thread.
    """

    def __init__(self, addresses: Iterable[Address], settings: Settings, environ: Mapping[str, str]) -> None:
        """Connect to each; whom it can't, the teller knows."""
        _be_library()
        self.teller = Teller()
        hosts = [(one.text, one.data(environ)) for one in addresses]
        inventory = Inventory((hosts, {}))  # type: ignore[no-untyped-call]
        self.state = State(inventory, Config(CONNECT_TIMEOUT=_CONNECT_S))  # type: ignore[no-untyped-call]
        self.sessions: list[Session] = []
        self.state.set_stage(StateStage.Connect)
        with ctx_state.use(self.state):
            for host in self.state.inventory:
                self._connect(host, settings)

    def close(self) -> None:
        """Leave them."""
        for session in self.sessions:
            let_go(session.where)
            session.host.disconnect()

    def deploy(self, *, dry: bool, diff: bool) -> None:
        """Plan and run. What became of each board, the teller knows."""
        plans: list[tuple[Session, Plan]] = []
        self.state.set_stage(StateStage.Prepare)
        with ctx_state.use(self.state):
            for session in self.sessions:
                with ctx_host.use(session.host):
                    try:
                        plan = plan_for(session)
                    except DeployError as error:
                        self.teller.untouched(session.where, error)
                        self.state.active_hosts.discard(session.host)
                        continue
                    show(plan, session.where, diff=diff)
                    plans.append((session, plan))
                    add_steps(session, plan, self.teller)
        if dry:
            return
        for session, plan in plans:
            if not plan.changes:
                self.teller.ended(session.where, Outcome.SAME, plan)
        self.state.set_stage(StateStage.Execute)
        if any(plan.changes for _, plan in plans):
            try:
                run_ops(self.state)
            except PyinfraError as error:
                if not self.teller.failures:  # else it says again that a board failed
                    raise DeployError("deploy", str(error)) from error

    def _connect(self, host: Host, settings: Settings) -> None:
        session = Session(host, settings)
        try:
            host.connect(show_errors=False, raise_exceptions=True)
        except ConnectError as error:
            self.teller.untouched(host.name, unreachable(host, error))
            return
        self.state.activate_host(host)
        self.sessions.append(session)


def deploy(
    addresses: Iterable[Address], settings: Settings, environ: Mapping[str, str], *, dry: bool, diff: bool
) -> int:
    """The whole of it: programs are proved before anybody is connected to. The exit status. Raises `DeployError`."""
    application = application_of(settings)
    for program in application.programs:
        print(f"proved {program}", flush=True)
    boards = Boards(addresses, settings, environ)
    try:
        boards.deploy(dry=dry, diff=diff)
    finally:
        boards.close()
    for sentence in boards.teller.sentences.values():
        print(sentence, flush=True)
    return 1 if boards.teller.failures else 0


def show(plan: Plan, where: str, *, diff: bool) -> None:
    """The differences, step by step."""
    if not plan.changes:
        print(f"[{where}] nothing differs: release {plan.release} runs", flush=True)
        return
    print(f"[{where}] {len(plan.changes)} changes:", flush=True)
    for change in plan.changes:
        print(f"  {change.step.value:<37} {change.what}", flush=True)
        for line in change.diff if diff else ():
            print(f"    {line}", flush=True)


def unreachable(host: Host, error: ConnectError) -> Unreachable:
    """Why a board can't be connected to, and what to do."""
    cause, text = error.__context__, str(error)
    data = host.data
    name, port = data.get("ssh_hostname") or host.name, data.get("ssh_port") or 22
    file = data.get("ssh_known_hosts_file") or "~/.ssh/known_hosts"
    shown = name if port == 22 else f"[{name}]:{port}"
    at = f"-p {port} " if port != 22 else ""
    if "StrictPolicy" in text:
        return Unreachable(
            host.name, f"its host key isn't known: {file} has none of {shown}",
            f"connect once by hand, and compare the key that it shows with the board's: ssh {at}{name}",
        )  # fmt: skip
    if isinstance(cause, BadHostKeyException):
        return Unreachable(
            host.name, f"its host key isn't the one in {file}: another machine answers, or it was installed anew",
            f"if it was installed anew: ssh-keygen -R '{shown}', and connect once by hand",
        )  # fmt: skip
    if isinstance(cause, gaierror):
        return Unreachable(
            host.name, f"there is no machine by the name {name}", "is it on, and on this network? ping it"
        )
    if isinstance(cause, AuthenticationException) or "uthentication" in text or "private key" in text.lower():
        user = data.get("ssh_user") or "this user"
        return Unreachable(
            host.name, f"lets {user} in by none of this laptop's keys",
            f"ssh-copy-id {at}{host.name.rpartition(':')[0] or host.name}, or name the key: KEY=~/.ssh/id_ed25519",
        )  # fmt: skip
    return Unreachable(
        host.name, f"doesn't answer on port {port}: {cause or text}", "is it on, and is SSH enabled there? raspi-config"
    )
