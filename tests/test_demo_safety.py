"""The demo of the guard: what it prints is pinned, the last part of it in real time."""

from __future__ import annotations

import pytest

from tests.bpf.engines import ENGINES
from tests.test_demos import run

SAFETY = """\
    0.050 s  wheel at  0 %; the order for 40 % is taken
    0.100 s  wheel at 10 %; the order for 40 % is taken
    0.150 s  wheel at 20 %; the order for 40 % is taken
    0.200 s  wheel at 30 %; the order for 40 % is taken
    0.250 s  wheel at 40 %; the order for 40 % is taken
    0.850 s  wheel at  0 %; the order for 40 % is refused: the emergency stop is latched
    1.300 s  wheel at  0 %; Ada has released the stop
    1.350 s  wheel at  0 %; the order for 40 % is taken
    1.400 s  wheel at 10 %; the order for 40 % is taken
    1.450 s  wheel at 20 %; the order for 40 % is taken
    1.500 s  wheel at 30 %; the order for 40 % is taken
    1.550 s  wheel at 40 %; the order for 40 % is taken

another process drives the wheel: it turns
killed by SIGKILL: off within 200 ms
"""


@pytest.mark.llvm
@pytest.mark.parametrize("engine", ENGINES)
def test_safety_on_the_mock_bench(engine: str) -> None:
    assert run("demos/safety.py", "--mock", "--engine", engine) == SAFETY
