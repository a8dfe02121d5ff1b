"""Samples of a sensor in a range pass to the application; the rest are counted, and so are those that never came.

Wiring (boards/rpi5-bench.toml): an ADS1015 on I2C (pins 3 and 5), a potentiometer between 3.3 V and ground on its A0;
dtoverlay=ads1015 in /boot/firmware/config.txt, and the udev rule of docs/sensors.md.

    axiom-hw run demos/iio_filter.py --mock        # no hardware: a voltage that rises and falls, in virtual time
    axiom-hw run demos/iio_filter.py               # on the Pi, until Ctrl-C
"""

import axiom_hw as hw

LOW, HIGH = 1_600_000_000, 1_700_000_000  # millionths of the kernel's unit of voltage, mV: 1.6 to 1.7 V

app = hw.App("iio_filter", board="rpi5-bench")
seen = app.array("seen", hw.u64)
passed = app.array("passed", hw.u64)
dropped = app.array("dropped", hw.u64)
lost = app.array("lost", hw.u64)
samples = app.ringbuf("samples", hw.IioEvent)


@app.on("iio/adc/voltage0")
def in_range(ctx: hw.IioEvent) -> int:
    """Runs on each sample, however fast they come; the application sees those that matter."""
    seen[0] += 1
    lost[0] += ctx.lost
    if LOW <= ctx.micro <= HIGH:
        passed[0] += 1
        samples.output(ctx)
    else:
        dropped[0] += 1
    return 0


@app.scenario
def slope(bench: hw.MockBench) -> None:
    """Up from 0 to 3.3 V and down again, each in a second; for a moment the sensor doesn't deliver."""
    second = 1_000_000_000
    bench.iio.set_signal("adc", "voltage0", lambda now: 1650 * abs((now + second) % (2 * second) - second) // second)
    bench.scheduler.after(1_200_000_000, lambda *_: bench.iio.lose("adc", 7))
    bench.scheduler.after(4_050_000_000, lambda *_: app.end())


def show() -> None:
    shown = 0
    for sample in samples:  # ends with the run
        shown += 1
        print(f"{sample.timestamp_ns / 1e9:7.3f} s  sample {sample.seqno:3}  {sample.micro / 1e9:.3f} V", flush=True)
    print(f"seen {seen[0]} = passed {passed[0]} + dropped {dropped[0]}; lost {lost[0]}; shown {shown}", flush=True)


if __name__ == "__main__":
    app.main(show)
