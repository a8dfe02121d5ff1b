"""The machines that are known: how each names itself, and what its header, PWM, buses and ports are called.

Sources: arch/arm64/boot/dts/broadcom in raspberrypi/linux (`compatible`, aliases); Raspberry Pi's documentation, on
revision codes and on conditional filters of config.txt; the peripheral manuals of RP1, BCM2711 and BCM2835. Which line
carries which channel is in pins.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.board.pins import KnownChip, KnownPwm, PwmPin, known_chip, known_pwm


@dataclass(frozen=True, slots=True)
class Uart:
    """A serial port on the header: its device, its lines (transmit, receive), what to write into config.txt."""

    device: str
    lines: tuple[int, int]
    enable: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class I2cBus:
    """An I2C bus on the header: `/dev/i2c-<number>`, its lines (data, clock), what to write into config.txt."""

    number: int
    lines: tuple[int, int]
    enable: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of machine.

    `name` is how `/proc/device-tree/model` begins; `compatible` is entries of the file beside it, the first choice to
    know a machine by; `types` are those of new-style revision codes, the second. `chip` is the label of the header's
    GPIO chip and `pwm` the device of its PWM, empty where there is no header. `sections` are the conditional filters of
    config.txt that apply. `keeps_outputs`: outputs stay driven after their process has died, unless the kernel was told
    otherwise.
    """

    name: str
    bench: str
    compatible: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    chip: str = ""
    pwm: str = ""
    uarts: tuple[Uart, ...] = ()
    buses: tuple[I2cBus, ...] = ()
    sections: tuple[str, ...] = ()
    keeps_outputs: bool = False
    notes: tuple[str, ...] = ()

    @property
    def header(self) -> KnownChip | None:
        """The chip of the 40-pin header; None where there is no header."""
        return known_chip(self.chip)

    @property
    def pwm_chip(self) -> KnownPwm | None:
        """The PWM chip of the header; None where there is none."""
        return known_pwm(self.pwm)


_I2C_ARM: Final = I2cBus(1, (2, 3), "dtparam=i2c_arm=on", "1.8 kilohm to 3.3 V on the board")
_I2C_HAT: Final = I2cBus(0, (0, 1), "dtparam=i2c_vc=on", "for the memory of a HAT; leave it alone")

_RP1_UARTS: Final = (
    Uart("ttyAMA0", (14, 15), "dtparam=uart0=on", "serial0 is ttyAMA10, the debug connector, not this one"),
    Uart("ttyAMA1", (0, 1),   "dtoverlay=uart1-pi5"),
    Uart("ttyAMA2", (4, 5),   "dtoverlay=uart2-pi5"),
    Uart("ttyAMA3", (8, 9),   "dtoverlay=uart3-pi5"),
    Uart("ttyAMA4", (12, 13), "dtoverlay=uart4-pi5"),
)  # fmt: skip
_RP1_BUSES: Final = (
    _I2C_ARM,
    I2cBus(0, (0, 1), "dtoverlay=i2c0-pi5", "for the memory of a HAT; leave it alone"),
    I2cBus(2, (4, 5), "dtoverlay=i2c2-pi5"),
    I2cBus(3, (6, 7), "dtoverlay=i2c3-pi5"),
)
_MINI_UART: Final = Uart(
    "ttyS0", (14, 15), "enable_uart=1", "its rate follows the core clock; dtoverlay=disable-bt gives ttyAMA0 instead"
)
_BCM2711_UARTS: Final = (
    _MINI_UART,
    Uart("ttyAMA2", (0, 1),   "dtoverlay=uart2"),
    Uart("ttyAMA3", (4, 5),   "dtoverlay=uart3"),
    Uart("ttyAMA4", (8, 9),   "dtoverlay=uart4"),
    Uart("ttyAMA5", (12, 13), "dtoverlay=uart5"),
)  # fmt: skip
_BCM2711_BUSES: Final = (
    _I2C_ARM,
    _I2C_HAT,
    I2cBus(3, (4, 5),   "dtoverlay=i2c3"),
    I2cBus(4, (8, 9),   "dtoverlay=i2c4"),
    I2cBus(5, (12, 13), "dtoverlay=i2c5"),
    I2cBus(6, (22, 23), "dtoverlay=i2c6"),
)  # fmt: skip
_AUDIO: Final = "PWM and analogue sound share the hardware: dtparam=audio=off, if a channel is noisy or missing"


def _rp1(name: str, bench: str, compatible: tuple[str, ...], types: tuple[int, ...], section: str) -> Model:
    sections = tuple(dict.fromkeys(("pi5", section)))
    return Model(
        name, bench, compatible, types, "pinctrl-rp1", "1f00098000.pwm", _RP1_UARTS, _RP1_BUSES, sections, True
    )


def _bcm2711(name: str, bench: str, compatible: tuple[str, ...], types: tuple[int, ...], section: str) -> Model:
    sections = tuple(dict.fromkeys(("pi4", section)))
    return Model(
        name, bench, compatible, types, "pinctrl-bcm2711", "fe20c000.pwm", _BCM2711_UARTS, _BCM2711_BUSES, sections,
        True, (_AUDIO,),
    )  # fmt: skip


# A name that begins with another one stands before it. The bench is the board file of boards/ that is wired for it.
MODELS: Final = (
    _rp1("Raspberry Pi Compute Module 5", "cm5-bench", ("raspberrypi,5-compute-module",), (0x18, 0x1A), "cm5"),
    _rp1("Raspberry Pi 500", "rpi5-bench", ("raspberrypi,500",), (0x19,), "pi500"),
    _rp1("Raspberry Pi 5", "rpi5-bench", ("raspberrypi,5-model-b",), (0x17,), "pi5"),
    _bcm2711("Raspberry Pi Compute Module 4", "rpi4-bench", ("raspberrypi,4-compute-module",), (0x14,), "cm4"),
    _bcm2711("Raspberry Pi 400", "rpi4-bench", ("raspberrypi,400",), (0x13,), "pi400"),
    _bcm2711("Raspberry Pi 4", "rpi4-bench", ("raspberrypi,4-model-b",), (0x11,), "pi4"),
    Model(
        "Raspberry Pi Zero 2 W", "zero2w-bench", ("raspberrypi,model-zero-2-w", "raspberrypi,model-zero-2"), (0x12,),
        "pinctrl-bcm2835", "3f20c000.pwm", (_MINI_UART,), (_I2C_ARM, _I2C_HAT), ("pi0", "pi02"), True,
        (_AUDIO, "512 MB of memory: compiling many programs at once takes a good part of it"),
    ),
    Model("QEMU", "qemu", ("linux,dummy-virt",), chip="pinctrl-rp1",
          notes=("gpio-sim stands in for the header; there is no PWM",)),
    Model("PC", "pc", notes=("no header: --mock runs everything, and timers, serial ports and sensors are real",)),
)  # fmt: skip

# What the SoC tells of a board that is newer than this table.
SOCS: Final = (("brcm,bcm2712", "Raspberry Pi 5"), ("brcm,bcm2711", "Raspberry Pi 4"))


def model_named(name: str) -> Model | None:
    """The row that a text such as "Raspberry Pi 4 Model B Rev 1.4" begins with."""
    return next((model for model in MODELS if name.startswith(model.name)), None)


def overlay_for(pins: tuple[PwmPin, ...]) -> str:
    """The line of config.txt that brings PWM to these pins; the overlays there are take one pin or two.

    Sources: pwm-overlay.dts and pwm-2chan-overlay.dts in raspberrypi/linux.
    """
    first, *more = sorted(pins, key=lambda pin: pin.channel)
    if not more:
        return f"dtoverlay=pwm,pin={first.line},func={first.func}"
    second = more[0]
    return f"dtoverlay=pwm-2chan,pin={first.line},func={first.func},pin2={second.line},func2={second.func}"
