"""Every key of a board file: what it takes, what holds without it, what it means. For the pages and `boards --keys`.

The parsers decide; a test compares these rows with what they accept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table. `default` is empty where it has to be given; a dash where without it there is none."""

    name: str
    takes: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a board file, by its header; the first one has none."""

    header: str
    meaning: str
    keys: tuple[Key, ...]


_AUTHORITY: Final = Key("authority", '"program", "application", "operator"', '"program"', "who may drive it, at least")
_WATCHDOG: Final = Key("watchdog", "a duration", "-", "without an order for so long, it goes to its safe state")
_OPTIONAL: Final = Key("optional", "true, false", "false", "the bench works where it is missing")
_RATE: Final = Key("rate", '"100Hz", "10ms"', "", "how often it is read")

SECTIONS: Final = (
    Section("", "the file itself", (
        Key("model",       "text",       "-", "the machine: how `axiom-hw boards` names it, or the beginning of that"),
        Key("description", "text",       "-", "what is on the bench, for people"),
        Key("watchdog",    "a duration", "-", "a process that is silent for so long is stopped by its supervisor"),
    )),
    Section("[chip.NAME]", "a GPIO chip; the first one is meant where a line names none", (
        Key("label",             "text",      "", 'what it is found by: "pinctrl-rp1", as `gpiodetect` shows it'),
        Key("lines",             "1 to 1024", "known for the chips of a Pi", "how many it has"),
        Key("event_buffer_size", "0 to 1024", "16 a line", "events that the kernel keeps until they are read"),
        Key("line_names", "list of names", "-", "what its lines are called, from 0 on; a Pi's have their names"),
    )),
    Section("[pwm_chip.NAME]", "a PWM chip", (
        Key("device",   "text",    "", 'what it is found by: "1f00098000.pwm"'),
        Key("channels", "1 to 64", "known for the chips of a Pi", "how many it has"),
    )),
    Section("[input.NAME]", "a line that the world drives; hook `gpio/NAME`", (
        Key("chip",       "name of a chip", "the first", "which chip it is on"),
        Key("line",       "number or name", "", 'GPIO17 is 17, or "GPIO17"'),
        Key("bias",       '"as-is", "disabled", "pull-up", "pull-down"', '"as-is"', "the resistor inside the chip"),
        Key("edges",      '"both", "rising", "falling", "none"', '"both"', "which changes are events"),
        Key("active_low", "true, false",    "false", "a low level is the value 1"),
        Key("debounce",   "a duration",     "-", "an edge counts when the level has rested for so long"),
    )),
    Section("[output.NAME]", "a line that we drive: it has `line`", (
        Key("kind",       '"line"',         "by its keys", "what it is"),
        Key("chip",       "name of a chip", "the first", "which chip it is on"),
        Key("line",       "number or name", "", 'GPIO18 is 18, or "GPIO18"'),
        Key("safe",       '"low", "high"',  "", "its level before and after a run, and on a failure"),
        Key("active_low", "true, false",    "false", "the value 1 is a low level"),
        Key("drive",      '"push-pull", "open-drain", "open-source"', '"push-pull"', "how it makes its levels"),
        _AUTHORITY,
        _WATCHDOG,
    )),
    Section("[output.NAME]", "a PWM channel that we drive: it has `channel`; hook `pwm/NAME`", (
        Key("kind",     '"pwm", "servo", "motor"', '"pwm"', "what turns by it"),
        Key("pwm_chip", "name of a PWM chip", "the first", "which chip it is on"),
        Key("channel",  "number",             "", "see `axiom-hw boards --pinout` for its pin"),
        Key("pin",      "number",             "the only one", "the line that carries it, where several can"),
        Key("period",   "a duration",         '"20ms" of a servo, else none', "how long a period is"),
        Key("min_duty", "a duration",         '"0ns", "500us" of a servo', "the least active time of a period"),
        Key("max_duty", "a duration",         'the period, "2500us" of a servo', "the greatest"),
        Key("polarity", '"normal", "inversed"', '"normal"', "whether a period begins high or low"),
        Key("safe",     '"off", "50%", a duration, "0deg"', "", "its state before and after a run, and on a failure"),
        Key("slew",     '"50%/s", "500us/s", "90deg/s"', "-", "how fast it may change"),
        _OPTIONAL,
        _AUTHORITY,
        _WATCHDOG,
    )),
    Section('[output.NAME] with pwm = "software"', "a line without a channel, which software pulses; hook `pwm/NAME`", (
        Key("pwm",    '"software"', "", "a thread makes the pulses: they jitter, and end with the process"),
        Key("period", "100us to 4.29s", '"20ms" of a servo, else none', "the other keys are those of a PWM channel"),
        Key("safe",   '"off", "0%", "100%"', "", "its level before and after a run, and on a failure"),
    )),
    Section('[output.NAME] with kind = "servo"', "besides those of a PWM channel", (
        Key("min_angle", "degrees", "-90", "the angle at `min_duty`"),
        Key("max_angle", "degrees", "90",  "the angle at `max_duty`"),
    )),
    Section('[output.NAME] with kind = "motor"', "besides those of a PWM channel, without `min_duty`", (
        Key("direction",      "number",         "-", "the line that is 1 for backwards"),
        Key("forward",        "number",         "-", "the line that is 1 for forwards, where the driver has two"),
        Key("backward",       "number",         "-", "the line that is 1 for backwards, where the driver has two"),
        Key("direction_chip", "name of a chip", "the first", "which chip these lines are on"),
    )),
    Section("[iio.NAME]", "a sensor that the kernel reads; hooks `iio/NAME/CHANNEL`, `iio/NAME`", (
        Key("device",    "text", "", 'what it is found by, its name: "bmp280"; or `label`, or `of_node`'),
        Key("label",     "text", "-", "instead of `device`: its label in the device tree"),
        Key("of_node",   "text", "-", "instead of `device`: its place in the device tree"),
        Key("channels",  "list of names", "", '`["temp", "pressure"]`: the kernel\'s, without `in_` and `_raw`'),
        _RATE,
        Key("trigger",   '"none", "own", "hrtimer", "sysfs"', '"none"', "what fills the buffer; none reads one by one"),
        Key("length",    "2 to 65536", "128", "scans in the kernel's buffer"),
        Key("watermark", "1 to length", "1", "scans that wake us"),
        Key("scan",      "true, false", "false", "one event for all channels, not one each"),
        Key("threshold", "tables", "-", "[iio.NAME.threshold.CHANNEL]: `rising`, `falling`, `hysteresis`, raw values"),
        _OPTIONAL,
    )),
    Section("[hwmon.NAME]", "a chip that watches temperatures, voltages and fans; hook `iio/NAME/CHANNEL`", (
        Key("device",   "text", "", 'what it is found by, its name: "cpu_thermal"; or `label`'),
        Key("label",    "text", "-", "instead of `device`"),
        Key("channels", "list of names", "", '`["temp1"]`'),
        _RATE,
        _OPTIONAL,
    )),
    Section("[i2c_bus.NAME]", "an I2C bus", (
        Key("path",    "text", "", '"/dev/i2c-1" is on the header of a Pi; or `adapter`'),
        Key("adapter", "text", "-", "instead of `path`: the name of the bus, or of the device behind it"),
    )),
    Section("[sensor.NAME]", "a sensor that we read over I2C; hook `i2c/NAME/CHANNEL`", (
        Key("bus",      "name of a bus", "the first", "which bus it is on"),
        Key("address",  "0x08 to 0x77", "", "as `i2cdetect -y 1` shows it"),
        _RATE,
        Key("driver",   "name", "-", "a part that is known; else its channels are declared"),
        Key("channel",  "tables", "-", "[sensor.NAME.channel.NAME]: `register`, `format`, `scale`, `offset`, `unit`"),
        Key("init",     "list of lists of bytes", "-", "written first: a register and the bytes for it, each"),
        Key("burst",    "true, false", "false", "all channels in one transfer"),
        _OPTIONAL,
    )),
    Section("[serial.NAME]", "a serial port; hook `serial/NAME`", (
        Key("port",     "path", "", '"/dev/ttyAMA0"; or `usb`'),
        Key("usb",      '"vid:pid", "vid:pid:serial"', "-", "instead of `port`: what is plugged in"),
        Key("baud",     "50 to 4000000", "", "bits a second"),
        Key("framing",  '"line", "cobs", "fixed"', '"line"', "what makes a record"),
        Key("size",     "number", "-", "bytes of a fixed record"),
        Key("sync",     "list of bytes", "-", "the first bytes of each fixed record"),
        Key("checksum", '"none", "nmea", "crc16"', '"none"', "what proves that a record is whole"),
        _OPTIONAL,
    )),
    Section("[watch.NAME]", "a watcher: one condition on a field of an event, and what follows", (
        Key("on",         "a hook",  "", '"iio/imu/accel_x": whose events it looks at'),
        Key("field",      "a field of the event", "", '"micro", "value[2]"'),
        Key("equal",      "number",  "-", "it becomes true when the field is this"),
        Key("not_equal",  "number",  "-", "when it isn't this"),
        Key("above",      "number",  "-", "when it is greater"),
        Key("at_least",   "number",  "-", "when it is this or greater"),
        Key("below",      "number",  "-", "when it is less"),
        Key("at_most",    "number",  "-", "when it is this or less"),
        Key("changed",    "true",    "-", "when it isn't what it was"),
        Key("changed_percent", "1 to 1000000", "-", "when it is so many percent away from what it was"),
        Key("mask",       "bits",    "-", "looks at `field & mask`, unsigned"),
        Key("hysteresis", "number",  "0", "it ends when the field is back by more than that"),
        Key("interval",   "a duration", "-", "tells one firing in it at most, and how many there were"),
        Key("ends",       "true, false", "false", "tells when it ends, too"),
        Key("drive",      "outputs", "-", "`{ led = 1, fan = 60 }` when it becomes true"),
        Key("otherwise",  "outputs", "-", "`{ led = 0 }` when it ends"),
        Key("stop",       "number",  "-", "the emergency stop when it becomes true: a reason for the audit"),
    )),
)  # fmt: skip
