"""Commands on a board, by pyinfra's connector: as root, with their exit status; a cut connection is no failure."""

from __future__ import annotations

import io
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paramiko import SSHClient, SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector

from axiom_deploy.errors import Cut, DeployError
from axiom_deploy.observing import Observed, OnBoard
from axiom_deploy.settings import Settings

_STEP_S: Final = 300.0  # of the agent: a start and a start of the old one, both by their limits
_ENDED: Final = re.compile(r"@@ended (\d+)$")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    status: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """A board that is connected.

    Synchronization: one greenlet at a time.
    """

    host: Host
    settings: Settings

    @property
    def where(self) -> str:
        """How its user calls it."""
        return str(self.host.name)

    def observe(self) -> Observed | None:
        """Look at the board. Raises `Cut`."""
        fact = OnBoard()
        command = fact.command(self.settings.root, self.settings.name, self.settings.python)
        done = self._run(command.get_raw_value(), sudo=False)
        if done.status or not done.lines:
            raise DeployError(
                self.where, "can't be looked at:\n" + "\n".join(done.lines), "does a plain shell work there?"
            )
        return fact.process(list(done.lines))

    def settled(self) -> Observed | None:
        """Look at the board when no step of an earlier deploy is at work there any more. Raises `Cut`."""
        deadline = time.monotonic() + _STEP_S
        seen = self.observe()
        if seen is not None and seen.step:
            print(
                f"[{self.where}] a step of an earlier deploy, which was cut off, is still at work: waiting", flush=True
            )
        while seen is not None and seen.step and time.monotonic() < deadline:
            time.sleep(1)
            seen = self.observe()
        return seen

    def may_be_root(self) -> bool:
        """Whether sudo works without a password. Raises `Cut`."""
        return self._run("sudo -n true", sudo=False).status == 0

    def as_root(self, words: Sequence[str], seen: Observed) -> Done:
        """Run a command as root. Raises `Cut`."""
        return self._run(shlex.join(words), sudo=bool(seen.uid))

    def agent(self, seen: Observed, *words: str) -> Done:
        """Run the agent on the board. Raises `Cut`."""
        settings = self.settings
        return self.as_root(
            [seen.executable, f"{settings.base}/agent.pyz", "--root", settings.root, "--settle", str(settings.settle_s),
             "--keep", str(settings.keep), settings.name, *words], seen,
        )  # fmt: skip

    def put(self, data: bytes, path: str, digest: str, seen: Observed) -> None:
        """Send a file that is there whole or not at all. Raises `DeployError`, `Cut`.

        It goes to the home of who logs in, where nobody else writes, and from there, as root, into place.
        """
        stage, part, folder = self._stage(seen), f"{path}.part", path.rpartition("/")[0]
        try:
            self.host.put_file(io.BytesIO(data), stage)
        except (OSError, EOFError, SSHException) as error:
            if not self.alive():
                raise Cut(self.where, f"the connection was cut while {path} was sent") from error
            self.as_root(["rm", "-f", stage], seen)
            raise DeployError(self.where, f"{stage} can't be written: {error}", "is its disk full? df -h") from None
        stage, part, folder, path = (shlex.quote(word) for word in (stage, part, folder, path))
        text = (
            f"mkdir -p {folder} && cp {stage} {part} && echo {digest}\\ \\ {part} | sha256sum --check --status - && "
            f"mv -f {part} {path}; code=$?; rm -f {stage} {part}; exit $code"
        )
        self.need(self.as_root(["sh", "-c", text], seen), f"{path} didn't arrive whole")

    def tidy(self, seen: Observed) -> None:
        """Remove what a cut left of a file on its way. Raises `Cut`."""
        self.as_root(["rm", "-f", self._stage(seen)], seen)

    def _stage(self, seen: Observed) -> str:
        home = seen.home if self.settings.root == "/" else f"{self.settings.root}/tmp"
        return f"{home}/.axiom-{self.settings.name}.upload"

    def need(self, done: Done, problem: str) -> Done:
        """The command, where it succeeded. Raises `DeployError`."""
        if done.status:
            said = "\n".join(done.lines)
            full = "No space left on device" in said or "ENOSPC" in said
            fix = "its disk is full: make room there, and deploy again" if full else ""
            raise DeployError(self.where, f"{problem}: {said}" if said else problem, fix)
        return done

    def alive(self) -> bool:
        """Whether the connection stands, as far as is known here."""
        transport = client_of(self.host).get_transport()
        return transport is not None and transport.is_active()

    def _run(self, text: str, *, sudo: bool) -> Done:
        command = StringCommand(f"{text} 2>&1; echo @@ended $?")
        try:
            _, output = self.host.run_shell_command(command, **({"_sudo": True} if sudo else {}))
        except (OSError, EOFError, SSHException) as error:
            raise Cut(self.where, "the connection was cut") from error
        lines = [line.line for line in output]
        for number, line in enumerate(reversed(lines), 1):
            if ended := _ENDED.search(line):
                return Done(int(ended[1]), tuple(lines[: len(lines) - number]))
        if sudo and any(line.startswith("sudo:") for line in lines):
            return Done(1, tuple(lines))
        raise Cut(self.where, "the connection was cut")


def client_of(host: Host) -> SSHClient:
    """paramiko's client behind a host."""
    connector = host.connector
    assert isinstance(connector, SSHConnector)
    assert connector.client is not None
    return connector.client
