"""`cli`: the command in this process, with what it prints and how it exits; `pi`: a Raspberry Pi made of files."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from axiom_hw.backends import survey
from axiom_hw.cli import main
from tests.cli.pi_tree import Tree


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call as `cli("verify", path, stdin=b"...")`."""

    def run(*args: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit_:
            main([str(arg) for arg in args])
        out, err = capfdbinary.readouterr()
        assert isinstance(exit_.value.code, int)
        assert b"Traceback" not in err
        return Result(exit_.value.code, out.decode(), err.decode())

    return run


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """All of its devices belong to the group gpio."""
    monkeypatch.setattr(survey, "_group", lambda path: "gpio")
    return Tree(tmp_path)
