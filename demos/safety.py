"""A limit switch stops a motor, and it stays stopped; a killed process leaves no motor running.

Wiring (boards/rpi5-rover.toml): a motor driver's PWM input on GPIO13 (pin 33), its direction input on GPIO23 (pin 16),
the limit switch from GPIO22 (pin 15) to ground.

    axiom-hw run demos/safety.py --mock      # no hardware; at the end, a process is killed in real time
    axiom-hw run demos/safety.py             # on the Pi, until Ctrl-C; docs/safety.md says what happens
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import axiom_hw as hw
from axiom_hw.backends.pwm import PwmState
from axiom_hw.backends.wires import Wires

POWER = 400  # thousandths
LONG_NS = 1_550_000_000


@hw.layout
class Asked:
    """What became of an order."""

    timestamp_ns: hw.u64
    result: hw.s64  # 0, or -errno


app = hw.App("safety", board="rpi5-rover")
asked = app.ringbuf("asked", Asked)


@app.on("timer/50ms", drives=["wheel"])
def drive(ctx: hw.TimerEvent) -> int:
    """Goes on driving, whatever happened: it is the guard's affair that the wheel stands still."""
    asked.output(Asked(hw.now_ns(), hw.motor_set("wheel", POWER)))
    return 0


@app.on("gpio/limit/rising", drives=[])
def limit(ctx: hw.GpioEvent) -> int:
    """Anybody may stop."""
    hw.emergency_stop(1)
    return 0


@app.scenario
def world(bench: hw.MockBench) -> None:
    bench.after("801ms").press("limit")
    bench.after("100ms").release("limit")


def show() -> None:
    """Prints what changes; on the mock somebody comes and releases the stop after half a second."""
    before, refused, first_ns = "", 0, 0
    for one in asked:
        first_ns = first_ns or one.timestamp_ns
        answer = "taken" if one.result == 0 else "refused: the emergency stop is latched"
        if (now := f"{wheel()}; the order for {POWER // 10} % is {answer}") != before:
            before = now
            tell(one.timestamp_ns, now)
        refused += one.result != 0
        if app.bench is not None and refused == 10:
            refused = 0
            app.outputs.release("Ada")
            tell(app.now_ns(), f"{wheel()}; Ada has released the stop")
        if app.bench is not None and one.timestamp_ns - first_ns > LONG_NS:
            return


def tell(timestamp_ns: int, text: str) -> None:
    print(f"{timestamp_ns / 1e9:9.3f} s  {text}", flush=True)


def wheel() -> str:
    """What a scope shows on the mock."""
    if app.bench is None:
        return "wheel"
    return f"wheel at {power(app.bench.pwm_state('wheel')):2} %"


def power(state: PwmState) -> int:
    return 100 * state.duty_ns // state.period_ns if state.enabled else 0


def kill() -> None:
    """Start this again as a process of its own, in real time, and kill it while the wheel turns."""
    board = hw.load_board("rpi5-rover")
    with tempfile.TemporaryDirectory() as state:
        wires = Wires(Path(state) / "rpi5-rover.wires", board)
        process = subprocess.Popen(
            [sys.executable, __file__, "--mock", "--real-time", "--state", state],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        turning = within(20.0, lambda: power(wires.pwm_state("wheel")) == POWER // 10)
        print(f"\nanother process drives the wheel: {'it turns' if turning else 'it does not turn'}")
        process.kill()
        still = within(0.2, wires.is_safe)
        print(f"killed by SIGKILL: {'off within 200 ms' if still else 'the wheel turns on'}")
        process.wait()
        within(5.0, wires.take)  # the supervisor is through


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


if __name__ == "__main__":
    app.main(show)
    if app.bench is not None and "--real-time" not in sys.argv:
        kill()
