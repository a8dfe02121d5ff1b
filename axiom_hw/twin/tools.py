"""Running the tools that build the twin's parts, and what is said when one fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from axiom_hw.errors import TwinError

_LAST: Final = 15  # lines of a log that an error shows


def run_tool(
    *command: str | os.PathLike[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> str:
    """What a command prints. With `log` all of it goes to that file, which outlives a failure.

    Raises `TwinError` with its last lines where it fails, or isn't there.
    """
    words = [os.fspath(word) for word in command]
    if shutil.which(words[0], path=(env or os.environ).get("PATH")) is None:
        raise missing_tool(words[0])
    done = subprocess.run(
        words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if log is not None:
        log.write_text(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        raise _failed(words, done, log)
    return done.stdout


def missing_tool(name: str) -> TwinError:
    """The error of a program that isn't installed."""
    return TwinError(
        "the twin",
        f"needs the program {name}, which isn't on this machine",
        "`axiom-hw twin setup` installs what is needed",
    )


def last_lines(text: str, count: int = _LAST) -> str:
    """The end of a text, indented as errors show it."""
    return "\n".join(f"    | {line.rstrip()}" for line in text.strip().splitlines()[-count:])


def _failed(words: list[str], done: subprocess.CompletedProcess[str], log: Path | None) -> TwinError:
    shown = " ".join(words[:4]) + (" ..." if len(words) > 4 else "")
    how = f"failed with status {done.returncode}" if done.returncode > 0 else f"was killed by signal {-done.returncode}"
    where = f"all it said is in {log}" if log is not None else ""
    said = last_lines(done.stdout + done.stderr)
    return TwinError(f"`{shown}`", f"{how}; its last words:\n{said or '    | (none)'}", where)
