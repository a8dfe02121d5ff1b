"""What the twin needs on this machine, and the one command that installs it on Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin.machine import QEMU

_PATH: Final = os.defpath + ":/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Need:
    """A program, the package that has it, and what it is for."""

    program: str
    package: str
    purpose: str


NEEDS: Final = (
    Need(QEMU,         "qemu-system-x86", "the machine itself"),
    Need("gcc",        "gcc",             "builds gpio-sim; it is the compiler of Debian's kernel"),
    Need("make",       "make",            "builds gpio-sim"),
    Need("xz",         "xz-utils",        "unpacks the kernel's sources"),
    Need("zstd",       "zstd",            "unpacks the kernel"),
    Need("mmdebstrap", "mmdebstrap",      "makes the small Debian"),
    Need("mke2fs",     "e2fsprogs",       "makes its disk"),
    Need("qemu-img",   "qemu-utils",      "makes disks that keep what is written"),
)  # fmt: skip
# Without root the small Debian is made in a user namespace.
_WITHOUT_ROOT: Final = (
    Need("fakeroot",  "fakeroot", "makes the disk of the small Debian without root"),
    Need("newuidmap", "uidmap",   "makes the small Debian without root"),
)  # fmt: skip
_LIBRARIES: Final = ("libelf1",)  # of the kernel's own tools for modules


def missing() -> tuple[Need, ...]:
    """What isn't there."""
    path = os.environ.get("PATH", "") + ":" + _PATH
    return tuple(need for need in _needs() if shutil.which(need.program, path=path) is None)


def install_command() -> list[str]:
    """apt's command that installs everything; what is there already stays as it is."""
    packages = sorted({need.package for need in _needs()})
    return ["apt-get", "install", "--yes", "--no-install-recommends", *packages, *_LIBRARIES]


def install() -> None:
    """Run it, as root, with its output on the terminal. Raises `TwinError` where it fails, or can't be tried."""
    command = install_command()
    if shutil.which("apt-get") is None:
        raise TwinError("setup", "installs Debian's packages, and apt-get isn't on this machine", "use Debian 12 or 13")
    if os.geteuid() != 0:
        raise TwinError("setup", "installs packages, which takes root", f"sudo {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        if (status := subprocess.run(step, env=environment, check=False).returncode) != 0:
            raise TwinError(f"`{' '.join(step[:2])}`", f"ended with status {status}", "what it said stands above")


def _needs() -> tuple[Need, ...]:
    return NEEDS if os.geteuid() == 0 else (*NEEDS, *_WITHOUT_ROOT)
