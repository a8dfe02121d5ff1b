"""Each press of the button switches the LED; the presses are counted.

Wiring: boards/my_project.toml.

    axiom-hw run my_project.py --mock      # no hardware: somebody presses three times, in virtual time
    axiom-hw run my_project.py             # on the Pi, until Ctrl-C
"""

import axiom_hw as hw

app = hw.App("my_project", board="my_project")  # boards/my_project.toml
presses = app.array("presses", hw.u64)  # a map: the program writes it, anybody reads it
switched = app.ringbuf("switched", hw.GpioEvent)


@app.on("gpio/button/rising")
def switch(ctx: hw.GpioEvent) -> int:
    """The program: proved safe and compiled, it runs on each press."""
    presses[0] += 1
    hw.gpio_set("led", presses[0] % 2)
    switched.output(ctx)
    return 0


@app.scenario
def fingers(bench: hw.MockBench) -> None:
    """With --mock, where there is nobody to press."""
    for _ in range(3):
        bench.after("400ms").press("button", bounces=3)
        bench.after("100ms").release("button")


def show() -> None:
    """The application around it: plain Python, which may be slow."""
    for event in switched:  # ends with the run
        lamp = "on" if app.read("led") else "off"
        print(f"{event.timestamp_ns / 1e9:9.3f} s  press {presses[0]}: led {lamp}", flush=True)


if __name__ == "__main__":
    app.main(show)
