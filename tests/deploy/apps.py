"""Applications that tests deploy: they use a timer and no pin, so that they run as they are on any machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BEAT: Final = '''\
"""Ticks, and says so."""

import axiom_hw as hw

app = hw.App("beat")
ticks = app.array("ticks", hw.u64)
beats = app.ringbuf("beats", hw.u64)


@app.on("timer/50ms")
def beat(ctx: hw.TimerEvent) -> int:
    ticks[0] += 1
    beats.output(ticks[0])
    return 0


def show() -> None:
    for one in beats:
        print("version {version}: tick", one, flush=True)


if __name__ == "__main__":
    app.main(show)
'''
ENDLESS: Final = """

@app.on("timer/1s")
def endless(ctx: hw.TimerEvent) -> int:
    while ticks[0] >= 0:
        ticks[0] += 1
    return 0
"""
CRASHING: Final = 'raise SystemExit("the supply of this bench is off")'
FALLING: Final = "import time; time.sleep(0.2); raise RuntimeError('fell over behind its first tick')"


def beat(folder: Path, version: int) -> Path:
    """An application that works."""
    path = folder / "beat.py"
    path.write_text(BEAT.replace("{version}", str(version)))
    return path


def rejected(folder: Path) -> Path:
    """One with a program that the verifier refuses: nothing ends its loop."""
    path = beat(folder, 0)
    path.write_text(path.read_text().replace("\n\ndef show", f"{ENDLESS}\n\ndef show"))
    return path


def crashing(folder: Path) -> Path:
    """One that ends before it is ready."""
    path = beat(folder, 0)
    path.write_text(path.read_text().replace("    app.main(show)", f"    {CRASHING}"))
    return path


def falling(folder: Path) -> Path:
    """One that is ready, and falls over just after."""
    path = beat(folder, 0)
    path.write_text(path.read_text().replace("    for one in beats:", f"    {FALLING}\n    for one in beats:"))
    return path
