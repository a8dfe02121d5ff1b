"""An accelerometer's three axes, taken at once; the program makes an angle of them, and lights the LED over 30 degrees.

Wiring (boards/rpi5-bench.toml): an MPU-6050 on I2C (pins 3 and 5), its INT on GPIO4 (pin 7), the LED with 330 ohm from
GPIO18 (pin 12) to ground; dtoverlay=i2c-sensor,mpu6050,int_pin=4 and the udev rule of docs/sensors.md.

    axiom-hw run demos/imu_tilt.py --mock          # no hardware: somebody tilts the board and lays it down again
    axiom-hw run demos/imu_tilt.py                 # on the Pi, until Ctrl-C
"""

import math

import axiom_hw as hw

OVER = 300  # tenths of a degree
GRAVITY = 16384  # raw, at 2 g


@hw.layout
class Tilt:
    """A record of the ring `tilts`."""

    timestamp_ns: hw.u64
    tenths: hw.s32  # of a degree, from level
    over: hw.u32


app = hw.App("imu_tilt", board="rpi5-bench")
last = app.array("last", hw.u32)
tilts = app.ringbuf("tilts", Tilt)


def root(square: int) -> int:
    """A square root up to 65535, by Newton's steps: without a branch, so that the proof has one path to follow."""
    found = 16384
    for _ in range(20):
        found = (found + square // (found | 1)) // 2  # an odd number isn't 0
    return found


def arc(opposite: int, adjacent: int) -> int:
    """The angle whose tangent is a quotient of up to 1, in tenths of a degree; 4 of them off at most."""
    if adjacent <= 0:
        return 0  # falling: no direction is down
    tangent = opposite * 1000 // adjacent
    return (450 * tangent + 156 * tangent * (1000 - tangent) // 1000) // 1000


@app.on("scan/imu")
def tilt(ctx: hw.ScanEvent) -> int:
    x, y, z = ctx.value[0], ctx.value[1], ctx.value[2]
    side, up = root(x * x + y * y), abs(z)
    tenths = arc(side, up) if side <= up else 900 - arc(up, side)
    if z < 0:
        tenths = 1800 - tenths
    over = 1 if tenths > OVER else 0
    if over != last[0] or ctx.seqno % 20 == 0:
        last[0] = over
        hw.gpio_set("led", over)
        tilts.output(Tilt(ctx.timestamp_ns, tenths, over))
    return 0


@app.scenario
def hand(bench: hw.MockBench) -> None:
    """To 60 degrees and back in two seconds."""

    start = bench.clock.now_ns()

    def angle(now: int) -> float:
        return math.radians(60 * math.sin(math.pi * min((now - start) / 2e9, 1)))

    bench.iio.set_signal("imu", "accel_y", lambda now: round(GRAVITY * math.sin(angle(now))))
    bench.iio.set_signal("imu", "accel_z", lambda now: round(GRAVITY * math.cos(angle(now))))
    bench.scheduler.after(2_050_000_000, lambda *_: app.end())


def show() -> None:
    for tilted in tilts:
        lamp = "on" if tilted.over else "off"
        print(f"{tilted.timestamp_ns / 1e9:7.3f} s  tilt {tilted.tenths / 10:5.1f} degrees  led {lamp}", flush=True)


if __name__ == "__main__":
    app.main(show)
