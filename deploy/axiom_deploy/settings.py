"""What a deploy is told: by make's variables (the environment), by pyinfra's --data, or in inventory.py."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_deploy.errors import DeployError

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9\-]{0,40}")
_YES: Final = ("1", "yes", "true", "on")


@dataclass(frozen=True, slots=True)
class Settings:
    """One application and how it shall run.

    `root` is where the board's tree begins, / but in tests; `settle_s` how long a release must run before it counts;
    `keep` how many are kept. `force`: also to a machine that is no Raspberry Pi, or another one than the board file's.
    """

    name: str
    app: Path | None = None
    board: str = ""
    args: tuple[str, ...] = ()
    network: bool = False
    force: bool = False
    root: str = "/"
    python: str = "python3"
    keep: int = 5
    settle_s: float = 3.0
    wheel: str = ""

    @property
    def base(self) -> str:
        return os.path.join(self.root, "opt/axiom", self.name)

    @property
    def unit(self) -> str:
        return f"axiom-{self.name}.service"


def read_settings(said: Mapping[str, object]) -> Settings:
    """From words to settings. Raises `DeployError` for what can't be one."""

    def word(key: str) -> str:
        found = said.get(key)
        return "" if found is None or found is False else "yes" if found is True else str(found).strip()

    app = Path(word("app")).expanduser() if word("app") else None
    if app is not None and app.is_dir():
        app = _main_of(app)
    name = word("name") or (_stem(app) if app is not None else "")
    if not name:
        raise DeployError(
            "deploy", "is told neither which application nor its name", "APP=demos/button.py, or NAME=button"
        )
    if not _NAME.fullmatch(name):
        raise DeployError(
            name, "can't name a unit: that takes up to 41 of a to z, 0 to 9 and -", "say another: NAME=..."
        )
    if app is not None and not app.is_file():
        raise DeployError(str(app), "there is no such file", "name the application: APP=demos/button.py")
    keep = int(word("keep") or 5)
    if keep < 2:
        raise DeployError(f"KEEP={keep}", "leaves no release to go back to", "keep at least 2")
    return Settings(
        name=name, app=app, board=word("board"), args=tuple(shlex.split(word("args"))),
        network=word("network").lower() in _YES, force=word("force").lower() in _YES, root=word("root") or "/",
        python=word("python") or "python3", keep=keep, settle_s=float(word("settle") or 3.0), wheel=word("wheel"),
    )  # fmt: skip


KEYS: Final = ("app", "name", "board", "args", "network", "force", "root", "python", "keep", "settle", "wheel")


def from_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What make hands on: APP, NAME, BOARD, ARGS, ... The board's Python is BOARD_PYTHON: PYTHON is the laptop's."""
    names = {key: key.upper() for key in KEYS} | {"python": "BOARD_PYTHON", "root": "BOARD_ROOT"}
    return {key: environ[name] for key, name in names.items() if environ.get(name)}


@dataclass(frozen=True, slots=True)
class Address:
    """A board: pi@raspberrypi.local, pi@raspberrypi.local:2222."""

    text: str
    user: str
    host: str
    port: int

    def data(self, environ: Mapping[str, str] = os.environ) -> dict[str, object]:
        """What pyinfra's connector takes. An unknown host key is refused, and so is a changed one."""
        found: dict[str, object] = {
            "ssh_hostname": self.host, "ssh_strict_host_key_checking": "yes", "ssh_file_transfer_protocol": "sftp",
        }  # fmt: skip
        if self.user:
            found["ssh_user"] = self.user
        if self.port:
            found["ssh_port"] = self.port
        for key, name in (
            ("ssh_key", "KEY"),
            ("ssh_known_hosts_file", "KNOWN_HOSTS"),
            ("ssh_config_file", "SSH_CONFIG"),
        ):
            if environ.get(name):
                found[key] = environ[name]
        return found


def read_addresses(text: str) -> tuple[Address, ...]:
    """Boards, with commas between them. Raises `DeployError` where there is none, or one can't be read."""
    found = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        parts = re.fullmatch(r"(?:([^@\s]+)@)?(\[[0-9a-fA-F:]+\]|[^:@\s]+)(?::(\d+))?", word)
        if parts is None:
            raise DeployError(word, "is no address of a board", "as in HOST=pi@raspberrypi.local, or pi@10.0.0.7:2222")
        found.append(Address(word, parts[1] or "", parts[2].strip("[]"), int(parts[3] or 0)))
    if not found:
        raise DeployError("deploy", "is told no board", "HOST=pi@raspberrypi.local")
    return tuple(found)


def _stem(app: Path) -> str:
    stem = app.parent.resolve().name if app.name in ("main.py", "app.py") else app.name.partition(".")[0]
    return stem.lower().replace("_", "-")


def _main_of(folder: Path) -> Path:
    for name in ("main.py", "app.py"):
        if (folder / name).is_file():
            return folder / name
    raise DeployError(
        str(folder), "is a directory without main.py or app.py", "name the application: APP=folder/file.py"
    )
