"""The twin: a virtual machine with the devices of a Pi 5's header, in which commands run with this machine's files."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin.cache import Say
from axiom_hw.twin.channel import Channel
from axiom_hw.twin.control import DEFAULT, RemotePorts, Served, connect, socket_path
from axiom_hw.twin.debian_root import authorize, debian_image, kept_disk
from axiom_hw.twin.first_root import added
from axiom_hw.twin.guest.frames import Kind
from axiom_hw.twin.kernel import kernel
from axiom_hw.twin.machine import Disk, Hardware, Machine, check_host
from axiom_hw.twin.ports import Ports, SocketPorts
from axiom_hw.twin.running import Done, Running, Take
from axiom_hw.twin.world import World

_OFF_S: Final = 20.0  # for the guest to go off by itself
_DEBIAN_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class About:
    """What a twin is: its root, its kernel's release, where its lines are in the guest; seconds it took to boot; the
    process that holds it, and the port of its SSH server, 0 without."""

    root: str
    release: str
    lines: str
    boot_s: float
    pid: int
    ssh: int


class Twin:
    """A running twin. As a context manager it goes off at the end.

    Synchronization: any thread.
    """

    def __init__(self, channel: Channel, ports: Ports, about: About, machine: Machine | None) -> None:
        """By `boot` and `attach`; `machine` is None where another process holds it."""
        self.about = about
        self.world = World(channel.call, ports, about.lines)
        self._channel = channel
        self._ports = ports
        self._machine = machine

    @classmethod
    def boot(
        cls,
        *,
        root: str = "host",
        memory_mb: int = 1024,
        processors: int = 2,
        ssh: int = 0,
        authorized_key: str = "",
        disk: Path | None = None,
        counted: bool = False,
        frozen: bool = False,
        timeout_s: float = 300.0,
        say: Say = lambda line: None,
    ) -> Twin:
        """Boot a twin. The first boot builds what it needs; `say` takes lines that tell of that. Raises `TwinError`.

        `root` "host": this machine's own files, which the guest sees and can't change; what it writes, it forgets.
        What is edited here, the next command there sees; `frozen` says that nothing is, and makes it a fifth faster.

        `root` "debian": a small Debian with systemd on a disk of its own, where one logs in as `pi` over `ssh`, a port
        of this machine's loopback, with the key whose public half is `authorized_key`. Each boot begins with a fresh
        disk, unless `disk` names a file (qcow2): it is made where it isn't there, and keeps what is written, so a
        second boot with it is a reboot. The guest has no network but that port.

        With `counted` its time is no time of this machine: each instruction takes 1 ns, and none passes while all
        wait for a timer, which then goes off. So measurements repeat themselves, however busy this machine is. While
        it waits for files of this machine, timers go off as well: time flies then. It needs `processors=1`.
        """
        check_host()
        key = authorize(authorized_key) if authorized_key else []
        hardware = _hardware(root, memory_mb, processors, ssh, disk, say, with_key=bool(key))
        twin = cls._start(root, replace(hardware, counted=counted), frozen, time.monotonic(), timeout_s)
        try:
            if key:
                twin.run(key).check()
        except BaseException:
            twin.cut()
            raise
        return twin

    @classmethod
    def attach(cls, name: str = DEFAULT) -> Twin | None:
        """The twin of that name that another process serves; None where none runs. `close` leaves it on."""
        stream = connect(socket_path(name))
        if stream is None:
            return None
        channel = Channel(stream, lambda: TwinError(f"the twin called {name}", "has gone off"))
        return cls(channel, RemotePorts(channel), About(**channel.call({"what": "about"})), None)

    def serve(self, name: str = DEFAULT) -> Served:
        """Let other processes attach to it, until the result is closed. Raises `TwinError` where the name is taken."""
        return Served(socket_path(name), self._channel, self._ports, asdict(self.about))

    @property
    def host_keys(self) -> tuple[str, ...]:
        """The public keys of its SSH server, "ssh-ed25519 AAAA...": for a known_hosts file. Raises `TwinError`."""
        keys = self.run(["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"]).check().stdout
        return tuple(" ".join(line.split()[:2]) for line in keys.splitlines())

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stdin: bytes = b"",
        timeout: float | None = 60.0,
        out: Take | None = None,
        err: Take | None = None,
    ) -> Done:
        """Run a command to its end; see `start`. Raises `TwinError` after `timeout` seconds, or if it won't start."""
        with self.start(argv, env=env, cwd=cwd, out=out, err=err) as running:
            if stdin:
                running.write(stdin)
            running.end_input()
            return running.wait(timeout)

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        terminal: bool = False,
        out: Take | None = None,
        err: Take | None = None,
    ) -> Running:
        """Start a command, as root. `env` goes on top of this process's environment; `cwd` is this process's at first.

        `out` and `err` take what it writes as it comes, instead of the result; on a `terminal` both are one.
        """
        conversation = self._channel.converse()
        told = {
            "argv": [os.fspath(word) for word in argv],
            "env": {**self._environment(), **(env or {})},
            "cwd": os.fspath(cwd) if cwd is not None else self._directory(),
            "terminal": terminal,
        }
        conversation.send(Kind.START, json.dumps(told).encode())
        return Running(told["argv"], conversation, out, err)  # type: ignore[arg-type]

    @property
    def is_running(self) -> bool:
        """Whether the machine is on, as far as this process holds it."""
        return self._machine is None or self._machine.is_running

    def switch_off(self) -> None:
        """Ask it to go off, whoever holds it."""
        with contextlib.suppress(TwinError):  # it went off meanwhile
            self._channel.converse().send(Kind.POWER_OFF)

    def cut(self) -> None:
        """Switch it off as a power cut does. Twice is fine."""
        if self._machine is not None:
            self._machine.close()
        else:
            self._channel.close()

    def close(self) -> None:
        """Switch it off, or let go of it where another process holds it. Twice is fine."""
        if self._machine is not None and self._machine.is_running:
            self.switch_off()
            self._machine.wait(_OFF_S)
        self.cut()

    def __enter__(self) -> Twin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _environment(self) -> dict[str, str]:
        if self.about.root == "debian":
            return dict(_DEBIAN_ENVIRONMENT)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_RUNTIME")}
        beside = str(Path(sys.executable).parent)  # axiom-hw, where the environment isn't activated
        return {**kept, "PATH": f"{beside}:{kept.get('PATH', os.defpath)}"}

    def _directory(self) -> str:
        return os.getcwd() if self.about.root == "host" else "/root"

    @classmethod
    def _start(cls, root: str, hardware: Hardware, frozen: bool, begin: float, timeout_s: float) -> Twin:
        machine = Machine(hardware, added(root, frozen=frozen))
        try:
            channel = Channel(machine.control, lambda: _gone(machine))
            told = json.loads(_ready(channel, machine, timeout_s))
        except BaseException:
            machine.close()
            raise
        boot_s = time.monotonic() - begin
        about = About(root, told["release"], told["devices"]["lines"], round(boot_s, 1), os.getpid(), hardware.ssh)
        return cls(channel, SocketPorts(machine.ports), about, machine)


def _hardware(
    root: str, memory_mb: int, processors: int, ssh: int, disk: Path | None, say: Say, *, with_key: bool
) -> Hardware:
    """What can't be is refused before anything is built."""
    if root not in ("host", "debian"):
        raise TwinError("the twin", f"knows no root {root!r}", '"host" or "debian"')
    if root == "host" and (ssh or disk is not None or with_key):
        problem = "with this machine's own files has no SSH server, no user pi and no disk"
        raise TwinError("the twin", problem, 'ask for root="debian", on the command line --root debian')
    if ssh:
        _check_port(ssh)
    built = kernel(say)
    hardware = Hardware(built.image, built.first_root, memory_mb, processors, ssh=ssh)
    if root == "host":
        return replace(hardware, share=Path("/"))
    image = debian_image(say)
    if disk is None:
        return replace(hardware, disk=Disk(image, "raw", fresh=True))
    return replace(hardware, disk=Disk(kept_disk(image, disk), "qcow2", fresh=False))


def _check_port(port: int) -> None:
    """Raises `TwinError` where somebody listens on it: QEMU would only say that it can't forward."""
    if not 0 < port < 1 << 16:
        raise TwinError(f"port {port}", "is none", "1024 to 65535; one that is free: 2222")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TwinError(
                f"port {port}", f"can't be used: {error.strerror}", "name another one that is free"
            ) from None


def _ready(channel: Channel, machine: Machine, timeout_s: float) -> bytes:
    try:
        return channel.ready.next(timeout_s).payload
    except TimeoutError:
        problem = f"isn't ready after {timeout_s:g} s; its console's last lines:\n{machine.console()}"
        raise TwinError("the twin", problem, "is this machine overloaded? `--timeout` waits longer") from None
    finally:
        channel.ready.close()


def _gone(machine: Machine) -> TwinError:
    machine.wait(_OFF_S)
    return TwinError("the twin", f"has gone off; its console's last lines:\n{machine.console()}")
