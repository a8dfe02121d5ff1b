"""A fan cools what a climate sensor finds too warm: watchers with hysteresis switch it, and it blows without a sensor.

Wiring (boards/rpi5-sensors.toml): a BME280 on the I2C bus (pins 1, 3, 5, 6), a fan's control wire on GPIO13 (pin 33).

    axiom-hw run demos/climate.py --mock           # no hardware: a summer's day in virtual time
    axiom-hw run demos/climate.py                  # on the Pi, until Ctrl-C
"""

import axiom_hw as hw

SENSOR = "i2c/climate/temperature"
PERIOD_NS = 40_000  # of the fan's PWM
UNKNOWN_NS = PERIOD_NS * 60 // 100  # without a sensor: better too cool
COOLING = 70  # per cent of the fan's speed

app = hw.App("climate", board="rpi5-sensors")
fired = app.ringbuf("fired", hw.WatchEvent)
warm = app.watch(  # drives the fan by itself: the loop below only prints of it
    "warm", SENSOR, "micro", hw.above(26_000_000, hysteresis=2_000_000),  # millionths of a degree: off at 24
    drive={"fan": COOLING}, otherwise={"fan": 0}, ends=True, into=fired,
)  # fmt: skip
blind = app.watch("blind", SENSOR, "status", hw.not_equal(0), ends=True, into=fired)


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
    is_warm = False
    for event in fired:
        if event.watcher == warm.id:
            is_warm = bool(event.became)
            said = f"{event.value / 1e6:.2f} degC: fan {'on' if is_warm else 'off'}"
        else:
            assert event.watcher == blind.id
            app.outputs.write("fan", UNKNOWN_NS if event.became else is_warm * PERIOD_NS * COOLING // 100)
            said = "no reading: fan at 60 %" if event.became else "a reading again"
        print(f"{event.timestamp_ns / 1e9:6.3f} s  {said}", flush=True)


if __name__ == "__main__":
    app.main(show)
