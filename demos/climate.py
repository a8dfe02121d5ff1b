"""A fan cools what a climate sensor finds too warm: with hysteresis, faster the warmer it is, and safe without sensor.

Wiring (boards/rpi5-sensors.toml): a BME280 on the I2C bus (pins 1, 3, 5, 6), a fan's control wire on GPIO13 (pin 33).

    axiom-hw run demos/climate.py --mock           # no hardware: a summer's day in virtual time
    axiom-hw run demos/climate.py                  # on the Pi, until Ctrl-C
"""

from errno import errorcode

import axiom_hw as hw

ON = 26_000_000  # millionths of a degree Celsius
OFF = 24_000_000
PER_DEGREE = 15  # per cent of the fan's speed
SLOWEST = 30  # below that it doesn't turn
UNKNOWN = 60  # without a sensor: better too cool


@hw.layout(size=24)
class Minute:
    """What the sensor said, and what the fan does."""

    timestamp_ns: hw.u64
    celsius_micro: hw.s64
    percent: hw.u32
    status: hw.u32  # 0, or why there is no reading


app = hw.App("climate", board="rpi5-sensors")
speed = app.array("speed", hw.u32)
minutes = app.ringbuf("minutes", Minute)


@app.on("i2c/climate/temperature")
def cool(ctx: hw.I2cEvent) -> int:
    """On above 26 degrees, off below 24; in between the fan goes on as it was, but never stops and starts."""
    percent = 0
    if ctx.status != 0:
        percent = UNKNOWN
    elif ctx.micro > ON or (speed[0] > 0 and ctx.micro > OFF):
        percent = min(SLOWEST + max(ctx.micro - OFF, 0) * PER_DEGREE // 1_000_000, 100)
    if percent != speed[0] or ctx.status != 0:
        speed[0] = percent
        hw.pwm_write("fan", percent)
        minutes.output(Minute(ctx.timestamp_ns, ctx.micro, percent, ctx.status))
    return 0


@app.scenario
def summer(bench: hw.MockBench) -> None:
    """It gets warm, the fan helps, the sensor's wire comes off for three seconds, and the evening comes."""
    for celsius in ("22.5", "25.0", "26.5", "28.0", "30.25", "27.0", "25.0", "24.5"):
        bench.after("2s").measure("climate", "temperature", celsius)
    wire = bench.i2c.device("climate")
    bench.scheduler.at(bench.after("2s").due_ns, lambda *_: wire.unplug())
    bench.scheduler.at(bench.after("3s").due_ns, lambda *_: wire.plug())
    bench.after("2s").measure("climate", "temperature", "23.75")


def show() -> None:
    for minute in minutes:
        said = (
            f"{minute.celsius_micro / 1e6:.2f} degC" if not minute.status else f"no reading: {errorcode[minute.status]}"
        )
        print(f"{minute.timestamp_ns / 1e9:6.3f} s  {said:22}  fan {minute.percent:3} %", flush=True)


if __name__ == "__main__":
    app.main(show)
