"""A program decodes a shaft's encoder: 20,000 steps a second one way, 20,000 the other, and none is lost.

Wiring (boards/rpi5-rover.toml): the encoder's outputs A and B on GPIO5 (pin 29) and GPIO6 (pin 31), grounds connected.

    axiom-hw run demos/encoder.py --mock      # no hardware: somebody turns the shaft, in virtual time
    axiom-hw run demos/encoder.py             # on the Pi, until Ctrl-C
"""

import axiom_hw as hw

STEPS = 20_000
A = 5  # the line of output A


@hw.layout
class Shaft:
    """Where it is, and how it came there."""

    timestamp_ns: hw.u64
    position: hw.s64
    steps: hw.u64
    errors: hw.u64  # edges that can't follow the one before, and those that the kernel lost


app = hw.App("encoder", board="rpi5-rover")
position = app.array("position", hw.s64)
steps = app.array("steps", hw.u64)
errors = app.array("errors", hw.u64)
levels = app.array("levels", hw.u32, entries=2)
shafts = app.ringbuf("shafts", Shaft)


@app.on("gpio/encoder_a", "gpio/encoder_b")
def decode(ctx: hw.GpioEvent) -> int:
    """A leads B on the way up: after an edge of A they differ then, after one of B they are equal."""
    mine = 0 if ctx.line == A else 1
    if steps[0] == 0:  # where it stood before the first edge
        levels[0] = hw.gpio_get("encoder_a")
        levels[1] = hw.gpio_get("encoder_b")
        levels[mine] = 1 - ctx.value
    if ctx.lost > 0 or levels[mine] == ctx.value:
        errors[0] += 1
    levels[mine] = ctx.value
    differ = 1 if levels[0] != levels[1] else 0
    if differ + mine == 1:
        position[0] += 1
    else:
        position[0] -= 1
    steps[0] += 1
    return 0


@app.on("timer/250ms")
def tell(ctx: hw.TimerEvent) -> int:
    shafts.output(Shaft(ctx.timestamp_ns, position[0], steps[0], errors[0]))
    return 0


@app.scenario
def hands(bench: hw.MockBench) -> None:
    bench.after(0).turn("encoder", STEPS, rate=20_000)
    bench.after("1s").turn("encoder", -STEPS, rate=20_000)


def show() -> None:
    for shaft in shafts:
        print(f"{shaft.timestamp_ns / 1e9:6.2f} s  position {shaft.position:6}  steps {shaft.steps:6}  "
              f"errors {shaft.errors}", flush=True)  # fmt: skip
        if app.bench is not None and shaft.steps == 2 * STEPS:
            return


if __name__ == "__main__":
    app.main(show)
