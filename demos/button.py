"""The LED follows the button; every press is counted, every edge comes with the kernel's time stamp.

Wiring (boards/rpi5-bench.toml): button from GPIO17 (pin 11) to ground, LED with 330 ohm from GPIO18 (pin 12) to ground.

    axiom-hw run demos/button.py --mock            # no hardware: somebody presses three times, in virtual time
    axiom-hw run demos/button.py                   # on the Pi, until Ctrl-C
"""

import axiom_hw as hw

app = hw.App("button", board="rpi5-bench")
presses = app.array("presses", hw.u64)
edges = app.ringbuf("edges", hw.GpioEvent)


@app.on("gpio/button")
def follow(ctx: hw.GpioEvent) -> int:
    """Runs on each edge, compiled: what it may do is in docs/writing-programs.md."""
    if ctx.edge == hw.Edge.RISING:
        presses[0] += 1
    hw.gpio_set("led", ctx.value)
    edges.output(ctx)  # last: who reads it finds the rest done
    return 0


@app.scenario
def fingers(bench: hw.MockBench) -> None:
    """A short press, one with a worn contact that bounces, and a long one."""
    for pause, hold, bounces in (("300ms", "120ms", 0), ("400ms", "90ms", 3), ("250ms", "600ms", 0)):
        bench.after(pause).press("button", bounces)
        bench.after(hold).release("button", bounces)


def show() -> None:
    for edge in edges:
        what = "pressed " if edge.edge == hw.Edge.RISING else "released"
        lamp = "on " if app.read("led") else "off"
        print(f"{edge.timestamp_ns / 1e9:9.3f} s  button {what}  led {lamp}  presses {presses[0]}", flush=True)


if __name__ == "__main__":
    app.main(show)
