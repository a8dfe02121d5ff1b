"""The devices of the twin: a Pi 5's header by gpio-sim, sensors by i2c-stub with the kernel's drivers, serial ports.

Everything is made through the kernel's own interfaces: Documentation/admin-guide/gpio/gpio-sim.rst,
Documentation/i2c/i2c-stub.rst, Documentation/i2c/instantiating-devices.rst, Documentation/iio/triggers.rst (configfs).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_FINIT_MODULE = 313  # x86-64: the twin is one
LABEL = "pinctrl-rp1"
# arch/arm64/boot/dts/broadcom/bcm2712-rpi-5-b.dts in raspberrypi/linux: gpio-line-names of rp1_gpio.
_BEHIND_THE_HEADER = (
    "PCIE_RP1_WAKE", "FAN_TACH", "HOST_SDA", "HOST_SCL", "ETH_RST_N", "-", "CD0_IO0_MICCLK", "CD0_IO0_MICDAT0",
    "RP1_PCIE_CLKREQ_N", "-", "CD0_SDA", "CD0_SCL", "CD1_SDA", "CD1_SCL", "USB_VBUS_EN", "USB_OC_N", "RP1_STAT_LED",
    "FAN_PWM", "CD1_IO0_MICCLK", "2712_WAKE", "CD1_IO1_MICDAT1", "EN_MAX_USB_CUR", "-", "-", "-", "-",
)  # fmt: skip
LINES = ("ID_SDA", "ID_SCL", *(f"GPIO{n}" for n in range(2, 28)), *_BEHIND_THE_HEADER)

BMP280, ADS1015 = 0x76, 0x48
# Bound to drivers are the first two; the others are there for who speaks I2C without the kernel's help.
ADDRESSES = (BMP280, ADS1015, 0x77, 0x49, 0x68, 0x69, 0x40, 0x44)
TRIGGER = "axiom"
# The ports as a Pi calls them, and what is behind: virtio's consoles have no rate, the third is a real UART's driver.
PORTS = (("ttyAMA0", "hvc0"), ("ttyAMA1", "hvc1"), ("ttyAMA2", "ttyS1"))

# Data sheet BMP280 (BST-BMP280-DS001), section 3.12: the calibration and the readings of its example, which are
# 25.08 degrees and 100653 Pa. 0xD0 is the chip's id, 0xF7 the pressure, 0xFA the temperature, of 20 bits each.
_CALIBRATION = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
_PRESSURE, _TEMPERATURE = 415148, 519888
BMP280_REGISTERS = {
    0xD0: b"\x58",
    0x88: struct.pack("<HhhHhhhhhhhh", *_CALIBRATION),
    0xF7: (_PRESSURE << 4).to_bytes(3, "big"),
    0xFA: (_TEMPERATURE << 4).to_bytes(3, "big"),
}


class Devices:
    """Where they are in the guest: the directory with a `sim_gpioN` for each line, the I2C bus, the GPIO chip."""

    def __init__(self, lines: str, bus: int, chip: str) -> None:
        self.lines = lines
        self.bus = bus
        self.chip = chip


def make(modules: str) -> Devices:
    """Load the modules and make the devices. Raises `OSError` where the kernel refuses."""
    for name in read_text(f"{modules}/devices").split():
        parameters = f"chip_addr={','.join(map(hex, ADDRESSES))}" if name == "i2c_stub" else ""
        _load(f"{modules}/{name}.ko", parameters)
    config = "/sys/kernel/config"
    if not os.path.exists(f"{config}/gpio-sim"):
        _mount("configfs", config)
    lines, chip = _make_lines(f"{config}/gpio-sim")
    made = Devices(lines, _bus_number(), chip)
    _make_sensors(made)
    trigger = f"{config}/iio/triggers/hrtimer/{TRIGGER}"
    if not os.path.exists(trigger):
        os.mkdir(trigger)
    for name, behind in PORTS:
        if os.path.exists(f"/dev/{behind}") and not os.path.lexists(f"/dev/{name}"):
            os.symlink(behind, f"/dev/{name}")
    return made


def read_text(path: str) -> str:
    """A file of the kernel's, without the newline."""
    with open(path) as file:
        return file.read().strip()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _make_lines(gpio_sim: str) -> tuple[str, str]:
    """The header's chip. Every line can be pulled and read, with a name or without."""
    bank = f"{gpio_sim}/pi5/bank0"
    if not os.path.exists(bank):
        os.makedirs(bank)
        _write(f"{bank}/num_lines", str(len(LINES)))
        _write(f"{bank}/label", LABEL)
        for number, name in enumerate(LINES):
            os.mkdir(f"{bank}/line{number}")
            _write(f"{bank}/line{number}/name", name)
        _write(f"{gpio_sim}/pi5/live", "1")
    chip = read_text(f"{bank}/chip_name")
    return f"/sys/devices/platform/{read_text(f'{gpio_sim}/pi5/dev_name')}/{chip}", chip


def _bus_number() -> int:
    buses = "/sys/bus/i2c/devices"
    for name in os.listdir(buses):
        if name.startswith("i2c-") and read_text(f"{buses}/{name}/name").startswith("SMBus stub driver"):
            return int(name.partition("-")[2])
    raise FileNotFoundError(errno.ENOENT, "i2c-stub made no bus")


def _make_sensors(made: Devices) -> None:
    """Registers first: a driver asks for the chip's id when it is bound."""
    from axiom_hw.twin.guest.world import Hands

    hands = Hands(made)
    for register, content in BMP280_REGISTERS.items():
        hands.do({"what": "set", "address": BMP280, "register": register, "values": list(content), "words": False})
    bus = f"/sys/bus/i2c/devices/i2c-{made.bus}"
    for name, address in (("bmp280", BMP280), ("ads1015", ADS1015)):
        if not os.path.exists(f"{bus}/{made.bus}-{address:04x}"):
            _write(f"{bus}/new_device", f"{name} {address:#x}")


def _load(module: str, parameters: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(module, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.syscall(_FINIT_MODULE, handle, parameters.encode(), 0) != 0:
            number = ctypes.get_errno()
            if number != errno.EEXIST:
                raise OSError(number, os.strerror(number), module)
    finally:
        os.close(handle)


def _mount(kind: str, where: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(kind.encode(), where.encode(), kind.encode(), 0, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), where)
