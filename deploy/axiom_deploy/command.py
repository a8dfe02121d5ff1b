"""The command line: `python deploy [deploy|status|logs|rollback|uninstall] --host pi@raspberrypi.local ...`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from axiom_deploy.driving import Boards, deploy
from axiom_deploy.errors import DeployError
from axiom_deploy.session import Session
from axiom_deploy.settings import KEYS, from_environment, read_addresses, read_settings
from axiom_deploy.telling import running

_VERBS = ("deploy", "status", "logs", "rollback", "uninstall")


def main(argv: list[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run a verb. The exit status: 0, or 1 with a sentence."""
    words = _parser().parse_args(argv)
    said = {**from_environment(environ), **{key: value for key in KEYS if (value := getattr(words, key, None))}}
    try:
        addresses = read_addresses(words.host or environ.get("HOST", ""))
        settings = read_settings(said)
        if words.verb == "deploy":
            return deploy(addresses, settings, environ, dry=words.dry, diff=words.diff)
        boards = Boards(addresses, settings, environ)
        try:
            for session in boards.sessions:
                _verb(session, words)
        finally:
            boards.close()
        for sentence in boards.teller.sentences.values():
            print(sentence, file=sys.stderr)
        return 1 if boards.teller.failures else 0
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if words.verb != "logs":
            print(
                "ended by Ctrl-C: `make deploy-status` says what runs; deploying again goes on from there",
                file=sys.stderr,
            )
        return 130


def _verb(session: Session, words: argparse.Namespace) -> None:
    seen = session.observe()
    if seen is None:
        raise DeployError(session.where, f"has no `{session.settings.python}`", "name the one it has: BOARD_PYTHON=...")
    match words.verb:
        case "logs":
            _logs(session, seen.uid != 0)
        case "status":
            print(f"{session.where}: {session.settings.name}: {running(seen)}")
            for ident in sorted(seen.digests, reverse=True):
                mark = "->" if ident == seen.current else "  "
                print(f"  {mark} {ident}{'' if ident in seen.proven else '  (never proven)'}")
            if seen.reboot:
                print(f"  REBOOT REQUIRED before {', '.join(seen.reboot)} of config.txt is in force")
            if seen.holder:
                print(f"  being deployed to by {seen.holder}")
        case "rollback" | "uninstall":
            if not seen.agent:
                raise DeployError(session.where, f"nothing of {session.settings.name} was ever deployed there")
            _change(session, words)
        case _:
            raise AssertionError(words.verb)


def _change(session: Session, words: argparse.Namespace) -> None:
    from axiom_deploy.holding import Hold

    seen = session.observe()
    assert seen is not None
    hold = Hold(session, seen)
    try:
        if words.verb == "rollback":
            done = session.agent(seen, "rollback", *([words.release] if words.release else []))
        else:
            session.tidy(seen)
            done = session.agent(seen, *(["--forget-stop"] if words.forget_stop else []), "uninstall")
    finally:
        hold.let_go()
    for line in done.lines:
        print(f"[{session.where}] {line}")
    now = session.observe()
    left = f"{session.settings.name} is gone, and nothing of it is left" if words.verb == "uninstall" else running(now)
    if done.status:
        raise DeployError(session.where, f"{words.verb} failed; {running(now)}")
    print(f"{session.where}: {left}")


def _logs(session: Session, sudo: bool) -> None:
    """As they come, until Ctrl-C."""
    from pyinfra.api.command import StringCommand

    text = f"journalctl --unit {session.settings.unit} --follow --lines 50 --output short-precise"
    session.host.run_shell_command(StringCommand(text), print_output=True, **({"_sudo": True} if sudo else {}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy", description="Applications of axiom_hw onto boards, over SSH.")
    parser.add_argument("verb", nargs="?", default="deploy", choices=_VERBS)
    parser.add_argument("--host", help="pi@raspberrypi.local, or several with commas; $HOST")
    parser.add_argument("--app", help="the application: a script, or a directory with main.py; $APP")
    parser.add_argument("--name", help="of its unit, axiom-NAME.service; as the application is called")
    parser.add_argument("--board", help="a board file, instead of the application's own")
    parser.add_argument("--args", help='options of its run: --args="--mock --real-time"')
    parser.add_argument("--network", action="store_true", help="it may speak to other machines")
    parser.add_argument("--force", action="store_true", help="also to a machine that is no Raspberry Pi")
    parser.add_argument("--python", help="which Python of the board: python3")
    parser.add_argument("--keep", help="how many releases stay there: 5")
    parser.add_argument("--settle", help="seconds that a release must run before it counts: 3")
    parser.add_argument("--wheel", help="this wheel of axiom_hw, instead of the repository's content")
    parser.add_argument("--root", help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="show what would change, and change nothing")
    parser.add_argument("--diff", action="store_true", help="show the lines that differ")
    parser.add_argument("--release", help="rollback: to this one, instead of the one before")
    parser.add_argument(
        "--forget-stop", action="store_true", help="uninstall: also while the emergency stop is latched"
    )
    return parser
