"""The process that the kill tests kill: it drives each output a thousand times a second, and computes beside that.

python victim.py stop|drive|exec OPTIONS      stop: it latches the emergency stop after 20 ms
                                              exec: it becomes another program, which knows nothing of outputs
"""

import os
import sys
import threading
from pathlib import Path

import axiom_hw as hw

KIND = sys.argv.pop(1)
app = hw.App("victim", board=str(Path(__file__).with_name("kill-bench.toml")))


@app.on("timer/1ms")
def lines(ctx: hw.TimerEvent) -> int:
    hw.gpio_set("led", ctx.count & 1)
    hw.gpio_set("relay", 1)
    return 0


@app.on("timer/1ms")
def moves(ctx: hw.TimerEvent) -> int:
    hw.servo_set("arm", 45_000)
    hw.motor_set("wheel", -500)
    return 0


if KIND == "stop":

    @app.on("timer/20ms")
    def halt(ctx: hw.TimerEvent) -> int:
        hw.emergency_stop(7)
        return 0


def body() -> None:
    threading.Thread(target=burn, daemon=True).start()
    if KIND == "exec":
        app.clock.wait_until(app.now_ns() + 50_000_000, threading.Event())
        os.execv(sys.executable, [sys.executable, "-c", "import sys; sys.stdin.read()"])
    app.wait()


def burn() -> None:
    number = 1
    while True:
        number = number * 3 % 1_000_003


if __name__ == "__main__":
    app.main(body)
