"""pytest inside of the twin: the contract suites on its devices, and what only a kernel can show.

Each starts Python there once, which on an emulated processor takes longer than most tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from axiom_hw.twin import Twin

ROOT = Path(__file__).parents[2]
CONTRACTS = ("-m", "real", "tests/backends")
INSIDE = ("tests/twin/inside",)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("what", [CONTRACTS, INSIDE], ids=["contracts", "inside"])
def test_inside(twin: Twin, what: tuple[str, ...]) -> None:
    world = Hands(twin)
    options = (
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:hypothesispytest",
        "--tb=short",
        "-rs",
        "--durations=8",
    )
    done = twin.start(
        (sys.executable, "-m", "pytest", "-v", "--capture=sys", *options, *what), cwd=ROOT,
        env={"AXIOM_INSIDE": "1", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/tmp", "HOME": "/tmp"}, err=world.hear,
    ).wait(900)  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + world.said
    assert " passed" in done.stdout


class Hands:
    """What a test in the twin asks of the world behind a serial port: `@feed PORT HEX` on its standard error.

    Lines and registers it moves itself, through the kernel.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._rest = b""
        self.said = ""

    def hear(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            match line.split():
                case [b"@feed", port, text]:
                    self._twin.world.feed(port.decode(), bytes.fromhex(text.decode()))
                case _:
                    self.said += line.decode(errors="replace") + "\n"
