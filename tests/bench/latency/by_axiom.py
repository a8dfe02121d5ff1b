"""A program behind the guard, as a user writes it. `python by_axiom.py LABEL INPUT OUTPUT ENGINE`."""

from __future__ import annotations

import sys
from pathlib import Path

import axiom_hw as hw

BOARD = """
[chip.header]
label = "{label}"
[input.button]
line = {line}
[output.led]
line = {led}
safe = "low"
"""
app = hw.App("latency", board="latency.toml")


@app.on("gpio/button")
def follow(ctx: hw.GpioEvent) -> int:
    """The output is what the input is."""
    hw.gpio_set("led", ctx.value)
    return 0


def serve() -> None:
    """Until it is killed."""
    assert app.runtime is not None
    app.runtime.loader.settle()  # what is compiled later, is by now
    print("ready", flush=True)
    app.wait()


if __name__ == "__main__":
    label, line, led, engine = sys.argv[1:]
    Path("latency.toml").write_text(BOARD.format(label=label, line=line, led=led))
    app.main(serve, ["--engine", engine, "--no-supervisor"])
