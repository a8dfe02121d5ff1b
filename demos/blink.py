"""The LED blinks, once a second: the smallest program that drives something.

Wiring (boards/rpi5-bench.toml): LED with 330 ohm from GPIO18 (pin 12) to ground.

    axiom-hw run demos/blink.py --mock --for 3s    # no hardware: prints each change of the LED, in virtual time
    axiom-hw run demos/blink.py                    # on the Pi, until Ctrl-C
"""

import axiom_hw as hw

app = hw.App("blink", board="rpi5-bench")


@app.on("timer/500ms")  # runs every 500 ms
def blink(ctx: hw.TimerEvent) -> int:
    hw.gpio_set("led", ctx.count % 2)  # count: 1, 2, 3, ...
    return 0


if __name__ == "__main__":
    app.main()
