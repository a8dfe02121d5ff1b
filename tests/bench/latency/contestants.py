"""Who makes an output follow an input: each a process of its own, on two lines of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Final, Self

from tests.bench.latency.figures import C_LOOP, GPIOD, GPIOZERO, LGPIO, NATIVE, PYTHON

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
CPU: Final = max(os.sched_getaffinity(0))  # all of them are there


@dataclass(frozen=True, slots=True)
class Contestant:
    """`program` is a binary of ours, or a file of Python with further `arguments`, that needs the module `needs`."""

    name: str
    program: str
    line: int
    led: int
    arguments: tuple[str, ...] = ()
    needs: str = ""


CONTESTANTS: Final = (
    Contestant(NATIVE, "by_axiom.py", 4, 5, ("llvm",), "llvmlite"),
    Contestant(C_LOOP, "loop", 6, 7),
    Contestant(PYTHON, "by_axiom.py", 8, 9, ("interp",), "gpiod"),
    Contestant(GPIOD, "by_gpiod.py", 10, 11, (), "gpiod"),
    Contestant(LGPIO, "by_lgpio.py", 12, 13, (), "lgpio"),
    Contestant(GPIOZERO, "by_gpiozero.py", 16, 17, (), "lgpio"),
)


@dataclass(frozen=True, slots=True)
class Absent:
    """A contestant that can't take part."""

    why: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Of all threads of a contestant and of its children, so far."""

    wakeups: int  # how often one of them waited: voluntary context switches
    cpu_ns: int


class Running:
    """A contestant that waits for edges, on its CPU.

    Synchronization: one owner.
    """

    def __init__(self, contestant: Contestant, process: Popen[str]) -> None:
        self.contestant = contestant
        self._process = process

    @classmethod
    def start(cls, contestant: Contestant, label: str, binaries: Path, folder: Path) -> Self | Absent:
        """Start it in a directory of its own below `folder`, and wait until it is ready."""
        if contestant.needs and find_spec(contestant.needs) is None:
            return Absent(f"there is no {contestant.needs} for this Python: pip install {contestant.needs}")
        home = folder / contestant.name.replace(" ", "-")
        home.mkdir()
        program = [str(binaries / contestant.program)]
        if contestant.program.endswith(".py"):
            program = [sys.executable, str(HERE / contestant.program)]
        given = (label, str(contestant.line), str(contestant.led), *contestant.arguments)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(home), "XDG_STATE_HOME": str(home)}
        process = Popen(
            [*program, *given], cwd=home, env=environment, stdout=PIPE, text=True, start_new_session=True,
            preexec_fn=partial(os.sched_setaffinity, 0, {CPU}),
        )  # fmt: skip
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if said == "ready":
            return cls(contestant, process)
        return Absent(f"it ended with {process.wait()}, see above")

    def stop(self) -> None:
        """Stop all of its threads, until `go_on`."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo `stop`. Raises `ChildProcessError` where it has died."""
        if self._process.poll() is not None:
            raise ChildProcessError(f"{self.contestant.name} ended with {self._process.returncode}")
        os.killpg(self._process.pid, signal.SIGCONT)

    def usage(self) -> Usage:
        """What its threads did until now."""
        wakeups = cpu_ns = 0
        for pid in _family(self._process.pid):
            for task in Path(f"/proc/{pid}/task").iterdir():
                words = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
                wakeups += int(words["voluntary_ctxt_switches"])
                cpu_ns += int((task / "schedstat").read_text().split()[0])
        return Usage(wakeups, cpu_ns)

    def close(self) -> None:
        """End it, at once: nothing of it outlives the twin."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _family(pid: int) -> Iterator[int]:
    """A process, its children, and theirs."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))
