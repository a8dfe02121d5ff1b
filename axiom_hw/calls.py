"""What a program written in Python calls: each helper under its Python name. To add one, declare it here.

Results that are errors are negative numbers, as in C: `-errno`.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.frontend.helpercalls import helper
from axiom_hw.bpf.layout import u32, u64

NO_READING: Final = -(1 << 63)
"""What `iio_read` gives before the first value: no errno, which could be a value."""

# The bodies are never run: outside of a program each of these raises `SpecError`.


@helper("gpio_set", names="output line")
def gpio_set(line: int | str, value: int) -> int:
    """Drive an output to 0 or 1. `line` is its name on the board, or its number on the header.

    0, or -errno: ENODEV no such output, EACCES not for programs to drive, or not for this one, EINVAL no such value,
    EPERM the emergency stop is latched.
    """
    raise NotImplementedError


@helper("gpio_get", names="line")
def gpio_get(line: int | str) -> int:
    """The value of an input or output, 0 or 1, or -errno. `line` is its name on the board, or its number."""
    raise NotImplementedError


@helper("pwm_write", names="PWM channel")
def pwm_write(channel: str, percent: int) -> int:
    """Set the duty of a PWM output, in percent of its period, within its limits. 0, or -errno."""
    raise NotImplementedError


@helper("pwm_write_ns", names="PWM channel")
def pwm_write_ns(channel: str, duty_ns: int) -> int:
    """Set the duty of a PWM output, in ns, within its limits. 0, or -errno."""
    raise NotImplementedError


@helper("servo_set", names="servo")
def servo_set(servo: str, millidegrees: int) -> int:
    """Turn a servo to an angle in thousandths of a degree, within its range. 0, or -errno."""
    raise NotImplementedError


@helper("motor_set", names="motor")
def motor_set(motor: str, permille: int) -> int:
    """Drive a motor with -1000 (backwards) to 1000 thousandths of its power, within its limits. 0, or -errno."""
    raise NotImplementedError


@helper("iio_read", names="sensor channel")
def iio_read(channel: str) -> int:
    """The last value of a sensor's channel ("imu/accel_x"), in millionths of its unit; `NO_READING` before the first.

    It is what the sensor's hook had last; the device isn't asked. While a program calls this, its sensors are read.
    """
    raise NotImplementedError


@helper("emergency_stopped")
def stopped() -> int:
    """1 while the emergency stop is latched: outputs stay in their safe states until an operator releases it."""
    raise NotImplementedError


@helper("emergency_stop")
def emergency_stop(reason: int) -> int:
    """Bring every output to its safe state and latch it there. `reason` is a number for the audit."""
    raise NotImplementedError


@helper("ktime_get_ns")
def now_ns() -> u64:
    """The time, CLOCK_MONOTONIC in ns: the clock of `timestamp_ns`."""
    raise NotImplementedError


@helper("get_prandom_u32")
def random_u32() -> u32:
    """A pseudo-random number of 32 bits."""
    raise NotImplementedError


@helper("get_smp_processor_id")
def slot() -> u32:
    """The number of the slot (what Linux calls a CPU) that runs the program."""
    raise NotImplementedError
