"""pytest inside of a twin, and hands for what its tests want done outside."""

from __future__ import annotations

import sys
from pathlib import Path

from axiom_hw.twin import Twin

ROOT = Path(__file__).parents[2]


def pytest_in(twin: Twin, *what: str, **environment: str) -> None:
    """Run tests there. Fails where one does, or none is there."""
    world = Hands(twin)
    plugins = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:hypothesispytest")
    options = (*plugins, "-v", "--capture=sys", "--tb=short", "-rsP", "--durations=8")
    fixed = {"AXIOM_INSIDE": "1", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/tmp", "HOME": "/tmp"}
    done = twin.start(
        (sys.executable, "-m", "pytest", *options, *what), cwd=ROOT, env={**fixed, **environment}, err=world.hear
    ).wait(900)
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
