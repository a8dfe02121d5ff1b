"""What a page tells its reader to do, and what it promises: files to save, commands to type, what they print.

A page means by

    Save this as `blink.py`:        the block that follows is that file, whole
    ```console                      `$` lines are typed, in order, in one shell; the rest is what they print
    ```console install              only in a fresh clone: make test-walk
    ```console twin                 only where QEMU is: make test-twin
    ```console deploy               only where a board to deploy to is, or what stands for one: make test-deploy
    ```console pi                   only on a Raspberry Pi: no test has one, but each command is parsed
    ```console twin stays           in a terminal of its own, and still running when the page goes on

In what a command prints, `...` is anything: within a line, or, alone on one, any number of lines. Times that a machine
takes (1.3 ms, in 0.05s) are never compared; nor are the digits of a run in real time.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)((?: \w+)*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAVE = re.compile(r"[Ss]ave this as `([^`]+)`[^\n]*:\n+\Z")
_LIVE = re.compile(r"\baxiom-hw .*--real-time")
_START, _END = "\x1e", "\x1f"  # around what a command prints
_MS = "$(( ($(date +%s%N) - began) / 1000000 ))"
_PATIENCE_S = 600  # for a command that stays: the first boot of the twin builds a kernel module


class Where(Enum):
    """Which commands can run where."""

    HERE = ""
    INSTALL = "install"
    TWIN = "twin"
    DEPLOY = "deploy"
    PI = "pi"


@dataclass(frozen=True, slots=True)
class Save:
    """A file that the reader saves."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the reader types, and what the page says it prints, with `...` for what varies."""

    text: str
    shown: str
    where: Where
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, both streams as a terminal shows them, and how and when it ended; None: it never did."""

    command: Command
    printed: str | None
    code: int | None
    ended_s: float | None  # after the shell began


def steps(page: Path) -> list[Save | Command]:
    """What a page asks for, from top to bottom. Raises `AssertionError` for a block that nobody could check."""
    return list(_steps(page))


def _steps(page: Path) -> Iterator[Save | Command]:
    text = page.read_text()
    for block in _BLOCK.finditer(text):
        language, words, body = block[1], block[2].split(), block[3]
        saved = _SAVE.search(text, 0, block.start())
        if saved is not None:
            yield Save(saved[1], body)
        elif language == "console":
            for piece in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                typed, _, shown = piece.partition("\n")
                yield Command(typed, shown, Where(words[0] if words else ""), "stays" in words)
        else:
            raise AssertionError(f"{page.name}: is this saved, typed or printed?\n{body}")


def run(
    todo: Sequence[Save | Command], directory: Path, where: frozenset[Where], bin_directory: Path, timeout_s: float
) -> list[Done]:
    """Do it all in one shell that starts in `directory`: what `cd`, `export` and `activate` do stays.

    Commands for elsewhere are left out. Results are None from where the shell ends, or all of it takes too long.
    """
    script = ["exec 2>&1 < /dev/null", "began=$(date +%s%N)"]
    typed = [one for one in todo if isinstance(one, Command) and one.where in where]
    for one in todo:
        if isinstance(one, Save):
            folder = shlex.quote(str(Path(one.path).parent))
            script.append(f"mkdir -p {folder}; cat > {shlex.quote(one.path)} <<'END OF FILE'\n{one.text}END OF FILE")
        elif one.where in where:
            script.append(f"printf '{_START}'\n{_typed(one)}\nprintf '{_END}%d %d\\n' $? {_MS}")
    script.append("kill $(jobs -p) 2> /dev/null; wait; rm -f $kept")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MAKE", "MFLAGS"))
    }
    environment |= {
        "PATH": f"{bin_directory}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",  # both streams in the order in which they were written, as a terminal has them
        "COLUMNS": "80",
    }
    with subprocess.Popen(
        ["bash", "-c", "\n".join(script)], stdout=subprocess.PIPE, text=True, cwd=directory, env=environment,
        start_new_session=True,
    ) as shell:  # fmt: skip
        try:
            text, _ = shell.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)  # with all that it started
            text, _ = shell.communicate()
    pieces = re.findall(f"{_START}(.*?){_END}(\\d+) (\\d+)\n", text, flags=re.DOTALL)
    ended = [Done(one, text, int(code), int(ms) / 1e3) for one, (text, code, ms) in zip(typed, pieces, strict=False)]
    return [*ended, *(Done(one, None, None, None) for one in typed[len(ended) :])]


def _typed(one: Command) -> str:
    """As the shell gets it. Of a command that stays, what it has said by the time it has said what the page shows."""
    if not one.stays:
        return one.text
    last = max(one.shown.splitlines()[-1].split("..."), key=len)
    look = f'for _ in $(seq {_PATIENCE_S}); do grep -qF {shlex.quote(last)} "$said" && break; sleep 1; done'
    return f'said=$(mktemp); kept="$kept $said"; ( {one.text} ) > "$said" 2>&1 &\n{look}; cat "$said"'


def broken_promise(done: Done) -> str:
    """How a command and its page differ, or nothing. Only a command whose complaint the page shows may fail."""
    if done.printed is None:
        return f"$ {done.command.text}\nnever ended"
    if done.command.where is Where.INSTALL and done.code == 0:
        return ""  # what pip says depends on its version and on the network
    if done.code and not done.command.shown:
        return f"$ {done.command.text}\nexit code {done.code}\n{done.printed}"
    if agrees(done.command.shown, done.printed, loosely=_LIVE.search(done.command.text) is not None):
        return ""
    return f"$ {done.command.text}\n--- the page shows\n{done.command.shown}--- it printed\n{done.printed}"


def agrees(shown: str, printed: str, *, loosely: bool = False) -> bool:
    """Whether the page shows what was printed; `loosely` compares no digits."""
    pattern = ""
    for line in _plain(shown, loosely).splitlines():
        pattern += r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*?") + "\n"
    return re.fullmatch(pattern, _plain(printed, loosely)) is not None


def _plain(text: str, loosely: bool) -> str:
    text = re.sub(r"\b\d+\.\d ms\b", "N ms", re.sub(r"\bin \d+\.\d\ds\b", "in Ns", text))
    lines = [line.rstrip() for line in text.splitlines()]
    if loosely:
        lines = [re.sub(r"[ \d]*\d", "N", line) for line in lines]
    return "".join(f"{line}\n" for line in lines if line)
