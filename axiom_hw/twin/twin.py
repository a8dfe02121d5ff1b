"""The twin: a virtual machine with the devices of a Pi 5's header, in which commands run with this machine's files."""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin.archive import Archive
from axiom_hw.twin.cache import Say
from axiom_hw.twin.channel import Channel
from axiom_hw.twin.guest.frames import Kind
from axiom_hw.twin.kernel import kernel
from axiom_hw.twin.machine import Hardware, Machine, check_host
from axiom_hw.twin.running import Done, Running, Take
from axiom_hw.twin.world import World

_HERE: Final = Path(__file__).parent
_OFF_S: Final = 10.0  # for the guest to go off by itself


class Twin:
    """A running twin. As a context manager it goes off at the end.

    Synchronization: any thread.
    """

    def __init__(self, machine: Machine, channel: Channel, told: dict[str, object], boot_s: float, root: str) -> None:
        """By `boot`."""
        devices = told["devices"]
        assert isinstance(devices, dict)
        self._machine = machine
        self._channel = channel
        self._root = root
        self.release = str(told["release"])
        self.boot_s = boot_s
        self.world = World(channel.call, machine.ports, devices["lines"])

    @classmethod
    def boot(
        cls,
        *,
        memory_mb: int = 1024,
        processors: int = 2,
        counted: bool = False,
        timeout_s: float = 120.0,
        say: Say = lambda line: None,
    ) -> Twin:
        """Boot a twin on this machine's own files, which it sees and can't change; what it writes, it forgets.

        With `counted` its time is no time of this machine: each instruction takes 1 ns, and none passes while all
        wait for a timer, which then goes off. So measurements repeat themselves, however busy this machine is. While
        it waits for files of this machine, timers go off as well: time flies then. It needs `processors=1`.

        The first boot builds the kernel (see `kernel`); `say` takes lines that tell of that. Raises `TwinError`.
        """
        check_host()
        built = kernel(say)
        begin = time.monotonic()
        return cls._start(
            "host",
            Hardware(built.image, built.first_root, memory_mb, processors, share=Path("/"), counted=counted),
            begin,
            timeout_s,
        )

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
        """Whether the guest is there."""
        return self._machine.is_running

    def close(self) -> None:
        """Switch it off. Twice is fine."""
        if self._machine.is_running:
            try:
                self._channel.converse().send(Kind.POWER_OFF)
                self._machine.wait(_OFF_S)
            except TwinError:  # it went off meanwhile
                pass
        self._machine.close()

    def __enter__(self) -> Twin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("XDG_RUNTIME")}

    def _directory(self) -> str:
        return os.getcwd()

    @classmethod
    def _start(cls, root: str, hardware: Hardware, begin: float, timeout_s: float) -> Twin:
        built = hardware.first_root.read_bytes()
        first_root = _first_root_file(built + _added(root))
        try:
            machine = Machine(replace(hardware, first_root=first_root))
            try:
                channel = Channel(machine.control, lambda: _gone(machine))
                told = json.loads(_ready(channel, machine, timeout_s))
            except BaseException:
                machine.close()
                raise
        finally:
            first_root.unlink()
        return cls(machine, channel, told, time.monotonic() - begin, root)


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
    return TwinError("the twin", f"has gone off; its console's last lines:\n{machine.console() or '    | (none)'}")


def _added(root: str) -> bytes:
    """What a boot adds to the first root: the agent and what is told by files."""
    archive = Archive()
    archive.add("init", (_HERE / "files/init.sh").read_bytes(), 0o755)
    archive.add("boot/root", root.encode())
    archive.add("boot/python", sys.executable.encode())
    archive.add("boot/share", b"cache=loose")
    _add_agent(archive)
    return archive.to_bytes()


def _add_agent(archive: Archive) -> None:
    """Its sources and, compiled by this Python, what the same Python reads faster in the guest."""
    archive.add("agent/agent/__main__.py", (_HERE / "guest/__main__.py").read_bytes())
    for package in ("axiom_hw", "axiom_hw/twin"):
        archive.add(f"agent/agent/{package}/__init__.py", b"")
    for file in sorted((_HERE / "guest").glob("*.py")):
        source = file.read_bytes()
        path = f"axiom_hw/twin/guest/{file.name}"
        archive.add(f"agent/agent/{path}", source)
        code = compile(source, f"/run/axiom-twin/agent/{path}", "exec", dont_inherit=True)
        unchecked = (1).to_bytes(4, "little")  # PEP 552: by the hash of the source, which nobody compares
        compiled = importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source) + marshal.dumps(code)
        archive.add(f"agent/agent/{importlib.util.cache_from_source(path)}", compiled)


def _first_root_file(content: bytes) -> Path:
    handle, name = tempfile.mkstemp(prefix="axiom-twin-", suffix=".cpio")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Path(name)
