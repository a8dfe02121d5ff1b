"""The LED lights after a time that nobody knows; how fast is your finger? Three rounds, measured in microseconds.

Wiring (boards/rpi5-bench.toml): button from GPIO17 (pin 11) to ground, LED with 330 ohm from GPIO18 (pin 12) to ground.

    axiom-hw run demos/reaction_timer.py --mock      # no hardware: somebody plays, in virtual time
    axiom-hw run demos/reaction_timer.py             # on the Pi
"""

import axiom_hw as hw

ROUNDS = 3
DEBOUNCE_NS = 5_000_000  # of the button, on the board: its edges are stamped when it has been at rest for so long
DARK, WAITING, LIT = 0, 1, 2


@hw.layout
class Round:
    lit_ns: hw.u64
    reaction_ns: hw.u64  # 0: pressed before the light


app = hw.App("reaction_timer", board="rpi5-bench")
phase = app.array("phase", hw.u32)
due = app.array("due", hw.u64)
lit = app.array("lit", hw.u64)
rounds = app.ringbuf("rounds", Round)


@app.on("timer/1ms", drives=["led"])
def light(ctx: hw.TimerEvent) -> int:
    """One to three seconds after the round before."""
    if phase[0] == DARK:
        due[0] = ctx.timestamp_ns + (1000 + hw.random_u32() % 2000) * 1_000_000
        phase[0] = WAITING
    elif phase[0] == WAITING and ctx.timestamp_ns >= due[0]:
        hw.gpio_set("led", 1)
        lit[0] = hw.now_ns()
        phase[0] = LIT
    return 0


@app.on("gpio/button/rising", drives=["led"])
def press(ctx: hw.GpioEvent) -> int:
    pressed_ns = ctx.timestamp_ns - DEBOUNCE_NS
    if phase[0] == LIT and pressed_ns > lit[0]:
        rounds.output(Round(lit[0], pressed_ns - lit[0]))
    else:
        rounds.output(Round(0, 0))
    hw.gpio_set("led", 0)
    phase[0] = DARK
    return 0


@app.scenario
def player(bench: hw.MockBench) -> None:
    """Presses once too early; then as fast as people are, when the LED lights."""
    bench.after("500ms").press("button")
    bench.after("80ms").release("button")
    delays_us = iter((253_412, 198_070, 221_633))

    def sees(_time_ns: int, value: int | None) -> None:
        if value:
            bench.after(next(delays_us) * 1000).press("button")
            bench.after("90ms").release("button")

    bench.watch("led", sees)


def show() -> None:
    best: list[float] = []
    for played in rounds:
        ms = played.reaction_ns / 1e6
        if not played.reaction_ns:
            print("too early: wait for the light", flush=True)
            continue
        best.append(ms)
        print(f"round {len(best)}  lit at {played.lit_ns / 1e9:6.3f} s  pressed after {ms:7.3f} ms", flush=True)
        if len(best) == ROUNDS:
            print("best      " + "  ".join(f"{one:7.3f}" for one in sorted(best)))
            return


if __name__ == "__main__":
    app.main(show)
