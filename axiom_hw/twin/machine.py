"""The virtual machine: what QEMU is told, and its process with the ends of its streams."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin import keeper
from axiom_hw.twin.guest.frames import PORT
from axiom_hw.twin.tools import last_lines, missing_tool

QEMU: Final = "qemu-system-x86_64"
SERIAL_PORTS: Final = 3  # as guest/devices.py names them: two of virtio, one UART
# Documentation/admin-guide/kernel-parameters.txt. Where QEMU translates and the host is busy, the kernel's own tests of
# timers fail, and mitigations cost time though no attacker is there. What is blacklisted takes a third of its start:
# tests of ciphers, keys of signers.
_KERNEL_LINE: Final = (
    "console=ttyS0 quiet panic=-1 net.ifnames=0 no_timer_check tsc=reliable nosoftlockup mitigations=off "
    "rcupdate.rcu_cpu_stall_suppress=1 cryptomgr.notests initcall_blacklist="
    "jent_mod_init,load_system_certificate_list,crypto_kdf108_init,init_encrypted,bpf_tcp_ca_kfunc_init"
)
_KVM: Final = Path("/dev/kvm")
_CONSOLE_LINES: Final = 25


@dataclass(frozen=True, slots=True)
class Disk:
    """An image, and what is done to it: `fresh` forgets at the end what was written."""

    image: Path
    form: str  # "raw" or "qcow2"
    fresh: bool


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the machine has. `share` is a directory of the host's that the guest reads; `ssh` a port of its loopback.

    `counted` is whether its time is what its instructions take; see `Twin.boot`.
    """

    kernel: Path
    first_root: Path
    memory_mb: int
    processors: int
    share: Path | None = None
    disk: Disk | None = None
    ssh: int = 0
    counted: bool = False


class Machine:
    """QEMU, as a process that can't outlive this one.

    `control` is the stream to the agent, `ports` are those behind the guest's serial ports.
    Synchronization: `close` may be called from any thread.
    """

    def __init__(self, hardware: Hardware, added: bytes) -> None:
        """Start it; `added` goes behind the first root. Raises `TwinError` where QEMU is missing."""
        check_host()
        self.directory = Path(tempfile.mkdtemp(prefix="axiom-twin-"))
        self.console_log = self.directory / "console.log"
        self._errors = self.directory / "qemu.log"
        self._first_root = self.directory / "first-root.cpio"
        self._first_root.write_bytes(hardware.first_root.read_bytes() + added)
        pairs = [socket.socketpair() for _ in range(1 + SERIAL_PORTS)]
        self.control, *self.ports = (ours for ours, _ in pairs)
        theirs = [their for _, their in pairs]
        watched, self._owner = os.pipe()
        keep = [sys.executable, "-I", "-S", keeper.__file__, str(watched), str(self.directory)]
        command = [*keep, *self._command(hardware, theirs)]
        try:
            with self._errors.open("wb") as errors:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True,
                    pass_fds=(watched, *(their.fileno() for their in theirs)),
                )  # fmt: skip
        finally:
            os.close(watched)
            for their in theirs:
                their.close()

    @property
    def is_running(self) -> bool:
        """Whether QEMU is there."""
        return self._process.poll() is None

    def wait(self, timeout_s: float) -> bool:
        """Wait until it went off; False where it didn't in time."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def console(self) -> str:
        """What the guest's kernel said at last, and QEMU itself."""
        said = [file.read_text(errors="replace") for file in (self.console_log, self._errors) if file.exists()]
        text = "\n".join(text.replace("\r", "") for text in said if text.strip())
        return last_lines(text, _CONSOLE_LINES) if text else "    | (none)"

    def close(self) -> None:
        """End it at once, and remove its directory. Twice is fine."""
        if self._owner >= 0:
            os.close(self._owner)  # the keeper kills QEMU
            self._owner = -1
        self._process.wait()
        for stream in (self.control, *self.ports):
            stream.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _command(self, hardware: Hardware, theirs: Sequence[socket.socket]) -> list[str]:
        control, *ports = (stream.fileno() for stream in theirs)
        words = [
            QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35", *_accelerated(hardware.counted),
            "-smp", str(hardware.processors), "-m", str(hardware.memory_mb),
            "-kernel", str(hardware.kernel), "-initrd", str(self._first_root),
            "-append", _KERNEL_LINE,
            "-chardev", f"file,id=console,path={_escaped(self.console_log)}", "-serial", "chardev:console",
            "-device", "virtio-serial-pci", "-device", "virtio-rng-pci",
        ]  # fmt: skip
        for number, descriptor in enumerate(ports):
            words += ["-chardev", f"socket,id=port{number},fd={descriptor}"]
            last = number == len(ports) - 1
            words += ["-serial", f"chardev:port{number}"] if last else ["-device", f"virtconsole,chardev=port{number}"]
        words += ["-chardev", f"socket,id=control,fd={control}"]
        words += ["-device", f"virtserialport,chardev=control,name={PORT}"]
        if hardware.share is not None:
            for tag in ("files", "installed"):  # for init.sh, which mounts a tag once
                local = f"local,path={_escaped(hardware.share)},mount_tag={tag}"
                words += ["-virtfs", f"{local},security_model=none,readonly=on,multidevs=remap"]
        if (disk := hardware.disk) is not None:
            fresh = ",snapshot=on" if disk.fresh else ""
            words += ["-drive", f"file={_escaped(disk.image)},if=none,id=disk,format={disk.form}{fresh}"]
            words += ["-device", "virtio-blk-pci,drive=disk"]
        if hardware.ssh:
            words += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{hardware.ssh}-:22"]
            words += ["-device", "virtio-net-pci,netdev=net"]
        return words


def check_host() -> None:
    """Raises `TwinError` where this machine can't run the twin."""
    if platform.machine() != "x86_64":
        raise TwinError(
            "the twin", f"is an x86-64 machine that shares this one's Python, and this one is {platform.machine()}",
            "on a Raspberry Pi the real lines are there; elsewhere run it on an x86-64 machine",
        )  # fmt: skip
    if shutil.which(QEMU) is None:
        raise missing_tool(QEMU)


def _accelerated(counted: bool) -> list[str]:
    """KVM on bare metal. Within a virtual machine its guests have been seen to hang, so there QEMU translates."""
    if counted:  # 1 << 0 ns an instruction; who waits for a timer finds that it has come
        return ["-accel", "tcg,thread=single", "-cpu", "max", "-icount", "shift=0,sleep=off"]
    try:
        virtual = " hypervisor" in Path("/proc/cpuinfo").read_text()
    except OSError:
        virtual = True
    if not virtual and os.access(_KVM, os.R_OK | os.W_OK):
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")  # a comma ends an option of QEMU's
