"""A program sees each state that a PWM channel is brought to; another one turns a servo to and fro.

Wiring (boards/rpi5-bench.toml): the servo's signal on GPIO12 (pin 32), with a supply of its own, grounds connected;
under [all] in config.txt: dtoverlay=pwm,pin=12,func=4

    axiom-hw run demos/pwm_observer.py --mock      # no hardware, in virtual time
    axiom-hw run demos/pwm_observer.py             # on the Pi; a channel is set to the nanosecond
"""

import axiom_hw as hw

STATES = 18
LEFT_NS = 1_000_000  # of the pulse that turns it to the left; 1.5 ms is the middle
STEP_NS = 111_111


@hw.layout
class Seen:
    """What was applied, and what had been ordered last."""

    timestamp_ns: hw.u64
    ordered_ns: hw.u64
    period_ns: hw.u32
    duty_ns: hw.u32


app = hw.App("pwm_observer", board="rpi5-bench")
ordered = app.array("ordered", hw.u64)
steps = app.array("steps", hw.u64)
seen = app.ringbuf("seen", Seen)


@app.on("timer/50ms", drives=["servo"])
def turn(ctx: hw.TimerEvent) -> int:
    """Nine steps to the right, nine back."""
    at = steps[0] % 18
    steps[0] += 1
    if at > 9:
        at = 18 - at
    ordered[0] = LEFT_NS + at * STEP_NS
    return hw.pwm_write_ns("servo", ordered[0])


@app.on("pwm/servo", drives=[])
def observe(ctx: hw.PwmEvent) -> int:
    """Runs behind each write that reached the channel, whoever ordered it."""
    seen.output(Seen(ctx.timestamp_ns, ordered[0], ctx.period_ns, ctx.duty_ns))
    return 0


def show() -> None:
    states, in_order, as_ordered, last_ns = 0, True, True, 0
    for state in seen:
        print(
            f"{state.timestamp_ns / 1e9:9.3f} s  pulse {state.duty_ns:7} ns of {state.period_ns / 1e6:g} ms  "
            f"{'#' * ((state.duty_ns - LEFT_NS) // STEP_NS)}".rstrip(),
            flush=True,
        )
        in_order &= state.timestamp_ns > last_ns
        as_ordered &= state.duty_ns == state.ordered_ns
        last_ns = state.timestamp_ns
        states += 1
        if states == STATES:
            break
    print(f"{states} states; time stamps rise: {told(in_order)}; each duty is the one ordered: {told(as_ordered)}")


def told(holds: bool) -> str:
    return "yes" if holds else "no"


if __name__ == "__main__":
    app.main(show)
