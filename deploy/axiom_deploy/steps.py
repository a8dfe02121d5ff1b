"""The steps of a deploy as pyinfra's operations: each yields nothing where nothing differs."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Final, assert_never

from pyinfra.api.command import FunctionCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from axiom_deploy.errors import DeployError
from axiom_deploy.holding import Hold
from axiom_deploy.observing import Observed
from axiom_deploy.planning import Plan, Step, make_plan
from axiom_deploy.session import Session
from axiom_deploy.settings import Settings
from axiom_deploy.shared import agent, sha256
from axiom_deploy.telling import Outcome, Teller
from axiom_deploy.verifying import Application, verified

_ROLLED_BACK: Final = 10
_NOTHING_RUNS: Final = 11

_HOLDS: Final[dict[str, Hold]] = {}
_APPLICATIONS: Final[dict[tuple[str, str], Application]] = {}


def application_of(settings: Settings) -> Application:
    """Its programs proved, once for all boards of a run. Raises `Refused`."""
    if settings.app is None:
        raise DeployError("deploy", "is told no application", "APP=demos/button.py")
    key = (str(settings.app), settings.board)
    if key not in _APPLICATIONS:
        _APPLICATIONS[key] = verified(settings.app, settings.board)
    return _APPLICATIONS[key]


def plan_for(session: Session) -> Plan:
    """Look at a board and compare. Raises `DeployError`."""
    application = application_of(session.settings)
    seen = session.settled()
    sudo = seen is None or seen.uid == 0 or session.may_be_root()
    return make_plan(session.where, seen, sudo, application, session.settings, datetime.now(UTC))


def add_steps(session: Session, plan: Plan, teller: Teller) -> None:
    """Hand the steps to pyinfra, which runs them unless it is told `--dry`."""
    _take(name="Take the board's lock", session=session, plan=plan, teller=teller)
    for step in Step:
        _step(name=step.value.capitalize(), session=session, plan=plan, step=step, teller=teller)
    _done(name="Give the lock back", session=session, plan=plan, teller=teller)


@operation()
def _take(session: Session, plan: Plan, teller: Teller) -> Generator[FunctionCommand]:
    if plan.changes:
        yield FunctionCommand(_run_take, (session, plan, teller), {})


@operation()
def _step(session: Session, plan: Plan, step: Step, teller: Teller) -> Generator[FunctionCommand]:
    if plan.of(step):
        yield FunctionCommand(_run_step, (session, plan, step, teller), {})


@operation()
def _done(session: Session, plan: Plan, teller: Teller) -> Generator[FunctionCommand]:
    if plan.changes:
        yield FunctionCommand(_run_done, (session, plan, teller), {})


def _run_take(state: State, host: Host, session: Session, plan: Plan, teller: Teller) -> bool:
    def work() -> None:
        _HOLDS[session.where] = Hold(session, plan.seen)
        now = session.observe()
        if now is None or now.generation != plan.seen.generation:
            raise DeployError(session.where, "was changed by somebody else since it was looked at", "deploy again")

    return _guarded(session, teller, "the lock was taken", work)


def _run_step(state: State, host: Host, session: Session, plan: Plan, step: Step, teller: Teller) -> bool:
    teller.says(session.where, step.value)
    return _guarded(session, teller, step.value, lambda: _work(session, plan, step, teller))


def _run_done(state: State, host: Host, session: Session, plan: Plan, teller: Teller) -> bool:
    let_go(session.where)
    teller.ended(session.where, Outcome.NEW, plan)
    return True


def let_go(where: str) -> None:
    """Give a board's lock back, if it is held."""
    if hold := _HOLDS.pop(where, None):
        hold.let_go()


def _guarded(session: Session, teller: Teller, doing: str, work: object) -> bool:
    assert callable(work)
    try:
        work()
    except DeployError as error:
        teller.failed(session, error, doing)
        let_go(session.where)
        return False
    return True


def _work(session: Session, plan: Plan, step: Step, teller: Teller) -> None:
    seen, base = plan.seen, plan.settings.base
    match step:
        case Step.AGENT:
            data = agent()
            session.put(data, f"{base}/agent.pyz", sha256(data), seen)
        case Step.WHEELS:
            for wheel in plan.wheels:
                teller.says(session.where, f"  {wheel.name} ({wheel.size / 1e6:.1f} MB)")
                path = f"{base}/wheels/{wheel.directory}/{wheel.name}"
                session.put(wheel.path.read_bytes(), path, wheel.digest, seen)
        case Step.RELEASE:
            session.put(plan.bundle.data, f"{base}/incoming.tar", plan.bundle.digest, seen)
            done = session.agent(seen, "--digest", plan.bundle.digest, "build", plan.release)
            session.need(done, "the release can't be built there")
        case Step.HOST:
            session.need(session.agent(seen, "prepare", plan.release), "the board can't be prepared")
        case Step.ACTIVATE:
            _activate(session, seen, plan.release, teller)
        case _:
            assert_never(step)


def _activate(session: Session, seen: Observed, release: str, teller: Teller) -> None:
    done = session.agent(seen, "activate", release)
    for line in done.lines:
        teller.says(session.where, f"  {line}")
    if done.status in (_ROLLED_BACK, _NOTHING_RUNS):
        raise DeployError(session.where, f"release {release} failed its health gate, and was taken back")
    session.need(done, "the switch failed")
