"""A board that isn't one: a real sshd on a spare port of loopback, and a tree that stands for the board's file system.

Nothing outside of the tree is written, but for sshd's own /run/sshd, which it insists on when it runs as root.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
SSHD: Final = "/usr/sbin/sshd"
STANDIN: Final = Path(__file__).with_name("standin")
MODEL: Final = "Raspberry Pi 5 Model B Rev 1.0"
CONFIG: Final = "# For more options see http://rptl.io/configtxt\ndtparam=audio=on\n\n[cm5]\ndtoverlay=dwc2\n"
_DIRECTORIES: Final = (
    "etc/systemd/system/multi-user.target.wants",
    "etc/udev/rules.d", "opt", "run", "var/lib", "var/cache", "boot/firmware", "proc/device-tree", "tmp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A command of the laptop that ended."""

    status: int
    text: str


@dataclass(slots=True)
class Rig:
    """A board, and the laptop in front of it. Use as a context."""

    tree: Path
    source: Path  # a copy of the repository: what is edited meanwhile changes no release
    wheel: Path
    cache: Path
    python: str = "/usr/bin/python3"
    port: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.tree / "root"

    @property
    def host(self) -> str:
        return f"root@127.0.0.1:{self.port}"

    def __enter__(self) -> Rig:
        self._make_tree()
        self._make_keys()
        self._start_manager()
        self._start_sshd()
        return self

    def __exit__(self, *_: object) -> None:
        for unit in (self.root / "etc/systemd/system").glob("axiom-*.service"):
            self.systemctl("stop", unit.name)
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        for pid in self.pids_of(f"{self.root}/opt/axiom/"):
            os.kill(pid, signal.SIGKILL)

    # the laptop

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"},
            "HOST": self.host, "KEY": str(self.tree / "key"), "KNOWN_HOSTS": str(self.tree / "known_hosts"),
            "SSH_CONFIG": str(self.tree / "ssh_config"), "BOARD_ROOT": str(self.root), "BOARD_PYTHON": self.python,
            "PYTHONPATH": str(self.source), "WHEEL": str(self.wheel),
            "XDG_CACHE_HOME": str(self.cache), "SETTLE": "0.5", "COLUMNS": "200", **more,
        }  # fmt: skip

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(self.source / "deploy"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, env=self.environment(**more), cwd=self.source,
        )  # fmt: skip

    def run(self, *words: str, **more: str) -> Said:
        process = self.start(*words, **more)
        text, _ = process.communicate(timeout=300)
        return Said(process.returncode, text)

    def deploy(self, app: Path, *words: str, **more: str) -> Said:
        return self.run("deploy", *words, APP=str(app), **more)

    def pyinfra(self, *words: str, **more: str) -> Said:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("pyinfra")), "inventory.py", "deploy.py", *words],
            cwd=self.source / "deploy",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
            env=self.environment(**more), timeout=300,
        )  # fmt: skip
        return Said(done.returncode, done.stdout)

    # the board

    def systemctl(self, *words: str) -> str:
        return subprocess.run(
            [str(self.tree / "bin/systemctl"), *words], capture_output=True, text=True, check=False
        ).stdout

    def is_active(self, name: str) -> bool:
        return "ActiveState=active\n" in self.systemctl("show", f"axiom-{name}.service")

    def pid(self, name: str) -> int:
        shown = dict(line.split("=", 1) for line in self.systemctl("show", f"axiom-{name}.service").splitlines())
        return int(shown["MainPID"])

    def running(self, name: str) -> str:
        """The release whose process runs; empty where none does."""
        if not self.is_active(name):
            return ""
        try:
            command = Path(f"/proc/{self.pid(name)}/cmdline").read_text()
        except FileNotFoundError:
            return ""  # it ended between the two questions
        return command.partition("/releases/")[2].partition("/")[0]

    def wait_active(self, name: str, limit_s: float = 30) -> None:
        """Until the unit runs. Polls, because that is what systemctl offers."""
        deadline = time.monotonic() + limit_s
        while not self.is_active(name):
            assert time.monotonic() < deadline, self.journal(name)
            time.sleep(0.1)

    def current(self, name: str) -> str:
        link = self.root / "opt/axiom" / name / "current"
        return os.path.basename(os.readlink(link)) if link.is_symlink() else ""

    def pids_of(self, text: str) -> list[int]:
        """The processes with a text in their command line; the tree's path is in nobody else's."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has just ended
            if text in words and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        return found

    def journal(self, name: str) -> str:
        path = self.tree / "journal" / f"axiom-{name}.service"
        return path.read_text() if path.exists() else ""

    def listing(self) -> dict[str, str]:
        """Everything in the tree: its kind, mode and content."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if path.is_symlink():
                found[name] = f"-> {os.readlink(path)}"
            elif path.is_file():
                seen = path.stat()
                inside = name.startswith("opt/")  # big, and never written again: who wrote it would change its time
                content = f"{seen.st_size} {seen.st_mtime_ns}" if inside else repr(path.read_bytes())
                found[name] = f"{seen.st_mode:o} {content}"
            else:
                found[name] = f"{path.stat().st_mode:o}"
        return found

    # making it

    def _make_tree(self) -> None:
        for name in _DIRECTORIES:
            (self.root / name).mkdir(parents=True)
        (self.root / "proc/device-tree/model").write_bytes(MODEL.encode() + b"\0")
        (self.root / "proc/device-tree/compatible").write_bytes(b"raspberrypi,5-model-b\0brcm,bcm2712\0")
        (self.root / "boot/firmware/config.txt").write_text(CONFIG)
        for name in ("passwd", "group", "login.defs"):
            shutil.copy(f"/etc/{name}", self.root / "etc" / name)
        (self.tree / "home").mkdir()
        bin_ = self.tree / "bin"
        bin_.mkdir()
        for tool in ("systemctl", "journalctl", "udevadm"):
            script = bin_ / tool
            script.write_text(f'#!/bin/sh\nexec {self.python} {STANDIN / "tool.py"} {tool} {self.tree} "$@"\n')
            script.chmod(0o755)

    def _make_keys(self) -> None:
        for name in ("key", "host_key", "other_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(self.tree / name)], check=True
            )
        shutil.copy(self.tree / "key.pub", self.tree / "authorized_keys")
        (self.tree / "ssh_config").write_text("")

    def _start_manager(self) -> None:
        environment = {"PATH": f"{self.tree}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        words = [self.python, str(STANDIN / "manager.py"), str(self.root)]
        self.processes.append(subprocess.Popen(words, env=environment))
        _wait(lambda: (self.tree / "standin.sock").exists(), "the stand-in for systemd doesn't start")

    def _start_sshd(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with socket.socket() as spare:
            spare.bind(("127.0.0.1", 0))
            self.port = spare.getsockname()[1]
        (self.tree / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.tree}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {self.tree}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
            f"SetEnv PATH={self.tree}/bin:/usr/bin:/bin HOME={self.tree}/home TMPDIR={self.tree}\nPrintLastLog no\n"
        )
        words = [SSHD, "-D", "-e", "-f", str(self.tree / "sshd_config")]
        with open(self.tree / "sshd.log", "wb") as log:
            self.processes.append(subprocess.Popen(words, stderr=log))
        key = (self.tree / "host_key.pub").read_text().split()
        (self.tree / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n")
        _wait(self._answers, "sshd doesn't start")

    def _answers(self) -> bool:
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", self.port)) == 0


def _wait(done: object, problem: str) -> None:
    assert callable(done)
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline, problem
        time.sleep(0.05)
