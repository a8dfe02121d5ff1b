"""`cli`: the command in this process, with what it prints and how it exits."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from axiom_hw.cli import main


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
