"""A small Debian 12 as an image of a disk: it stands for a Raspberry Pi OS where something is deployed.

It has systemd, OpenSSH, Python with venv and sudo, the user `pi` and the groups and rules for devices that Pi OS has.
What belongs to the twin (modules, the agent and its unit) isn't in it: a boot brings that along, in memory.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin.cache import Say, building, cache_directory, digest_of, is_whole, locked
from axiom_hw.twin.tools import run_tool

SUITE: Final = "bookworm"
USER: Final = "pi"
PACKAGES: Final = (
    "systemd-sysv", "udev", "dbus", "openssh-server", "python3", "python3-venv", "sudo", "kmod", "procps", "iproute2",
    "rsync",
)  # fmt: skip
_FORM: Final = 1  # raised by whoever changes how the image is made
_IMAGE: Final = "root.img"
_SIZE: Final = "3G"  # with holes: 0.5 GB lie on the disk
_ROOM: Final = 2 << 30

# RPi-Distro/raspberrypi-sys-mods, etc.armhf/udev/rules.d/99-com.rules: as far as the twin has such devices.
_RULES: Final = """\
SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660"
SUBSYSTEM=="i2c-dev", GROUP="i2c", MODE="0660"
SUBSYSTEM=="spidev", GROUP="spi", MODE="0660"
KERNEL=="hvc[01]|ttyS1", GROUP="dialout", MODE="0660"
SUBSYSTEM=="pwm", ACTION=="add|change", PROGRAM="/bin/sh -c 'chgrp -R gpio /sys%p && chmod -R g=u /sys%p'"
"""
_CONFIG: Final = """\
# The firmware's settings, as Raspberry Pi OS begins; the twin has no firmware that reads them.
dtparam=audio=on
camera_auto_detect=1
[cm4]
otg_mode=1
[all]
"""
# What takes time at a boot, or for its own sake, and serves nothing here.
_MASKED: Final = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty@tty1.service", "serial-getty@ttyS0.service", "serial-getty@hvc0.service",
    "systemd-pstore.service", "systemd-networkd.service", "systemd-binfmt.service", "sys-kernel-config.mount",
)  # fmt: skip


def built_images(cache: Path | None = None) -> list[Path]:
    """The image that this version of the package made, or nothing."""
    target = _target(cache_directory() if cache is None else cache)
    return [target / _IMAGE] if is_whole(target) else []


def debian_image(say: Say, cache: Path | None = None) -> Path:
    """The image; builds it where it isn't there. Takes a minute. Raises `TwinError`."""
    cache = cache_directory() if cache is None else cache
    if found := built_images(cache):
        return found[0]
    with locked(cache, say):
        if not built_images(cache):
            if _target(cache).exists():
                say("the small Debian in the cache is damaged: building it again")
            say(f"building a small Debian ({SUITE}) from 100 MB of packages, once")
            with building(_target(cache), _ROOM) as work:
                _build(work, say, cache / "debian.log")
    return _target(cache) / _IMAGE


def kept_disk(image: Path, disk: Path) -> Path:
    """A disk that keeps what is written to it, over the image; made where it isn't there. Raises `TwinError`."""
    if not disk.exists():
        run_tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image.resolve(), disk)
    return disk


def _build(work: Path, say: Say, log: Path) -> None:
    archive = work / "root.tar"
    # In /var/tmp, because without root the tree belongs to another user, who can't pass through one's home directory.
    hooks = [f"--customize-hook={line}" for line in _settings()]
    run_tool(
        "mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", *hooks, SUITE, archive,
        env={**os.environ, "LC_ALL": "C", "TMPDIR": "/var/tmp"}, log=log,
    )  # fmt: skip
    say("making its disk")
    tree = work / "tree"
    tree.mkdir()
    script = (
        f'tar -C "{tree}" --numeric-owner -xpf "{archive}" && '
        f'mke2fs -q -F -t ext4 -L twin -E lazy_itable_init=0 -d "{tree}" "{work / _IMAGE}" {_SIZE}'
    )
    as_root = () if os.geteuid() == 0 else ("fakeroot",)  # for the owners of files, which only root may give
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    run_tool(*as_root, "sh", "-c", script, env={**os.environ, "PATH": path}, log=log)
    archive.unlink()
    shutil.rmtree(tree)


def _settings() -> list[str]:
    """Shell commands that finish the root "$1"."""
    groups = ",".join(("sudo", "dialout", "gpio", "i2c", "spi"))
    files = {
        "etc/hostname": "raspberrypi\n",
        "etc/hosts": "127.0.0.1 localhost raspberrypi\n",
        "etc/fstab": "/dev/vda / ext4 defaults,noatime 0 0\n",
        "etc/udev/rules.d/99-com.rules": _RULES,
        "etc/sudoers.d/010_pi-nopasswd": f"{USER} ALL=(ALL) NOPASSWD: ALL\n",
        "boot/firmware/config.txt": _CONFIG,
    }
    lines = [
        *(f'chroot "$1" groupadd --system {group}' for group in ("gpio", "i2c", "spi")),
        f'chroot "$1" useradd --create-home --shell /bin/bash --groups {groups} {USER}',
        f'install -d -m 700 "$1/home/{USER}/.ssh" && chroot "$1" chown {USER}: "/home/{USER}/.ssh"',
        'mkdir -p "$1/boot/firmware"',
    ]
    for path, content in files.items():
        escaped = content.replace("\\", "\\\\").replace("\n", "\\n").replace("%", "%%").replace("'", "'\\''")
        lines.append(f"printf '{escaped}' > \"$1/{path}\"")
    lines += [f'ln -sf /dev/null "$1/etc/systemd/system/{unit}"' for unit in _MASKED]
    return lines


def _target(cache: Path) -> Path:
    return cache / f"debian-{SUITE}-{digest_of(repr((_FORM, PACKAGES, _SIZE, _settings())).encode())}"


def authorize(key: str) -> list[str]:
    """The command that lets a public key in as the user of the image. Raises `TwinError` for what isn't one."""
    if len(key.split()) < 2 or "\n" in key.strip() or "PRIVATE" in key:
        raise TwinError(
            "authorized_key",
            "isn't a public key of SSH in one line",
            "the content of a file such as ~/.ssh/id_ed25519.pub",
        )
    where = f"/home/{USER}/.ssh/authorized_keys"
    return [
        "sh",
        "-c",
        f'printf "%s\\n" "$1" > {where} && chown {USER}: {where} && chmod 600 {where}',
        "sh",
        key.strip(),
    ]
