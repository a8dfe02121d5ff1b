"""The kernel of the twin: Debian's image as it is, the modules that a twin loads, and gpio-sim built for it.

Debian ships no gpio-sim, so it is built out of tree from Debian's own sources. It needs the simulator of interrupts
(kernel/irq/irq_sim.c), which the kernel doesn't have either, and of which one call isn't exported to modules.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin.apt import SERIES, Apt, Kernel, unpack
from axiom_hw.twin.archive import Archive
from axiom_hw.twin.cache import Say, building, cache_directory, digest_of, is_whole, locked
from axiom_hw.twin.modules import ModuleTree
from axiom_hw.twin.tools import missing_tool, run_tool

HOST_MODULES: Final = ("9pnet_virtio", "9p", "overlay")
DISK_MODULES: Final = ("virtio_blk", "ext4", "crc32c_generic", "virtio_net", "autofs4", "virtio_rng")
# i2c-i801 is the bus of QEMU's chipset: as the first it becomes i2c-0, and the simulated one i2c-1, as a Pi's header's.
DEVICE_MODULES: Final = (
    "configfs", "gpio-sim-oot", "pwm-sim", "i2c-i801", "i2c-dev", "i2c-stub", "bmp280-i2c", "ti-ads1015",
    "iio-trig-hrtimer", "iio-trig-sysfs",
)  # fmt: skip

_SOURCES: Final = ("drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c")
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_NOT_EXPORTED: Final = "handle_simple_irq(irq_to_desc(irqnum))"
_EXPORTED: Final = "generic_handle_irq(irqnum)"
_KBUILD: Final = """\
obj-m := gpio-sim-oot.o pwm-sim.o
gpio-sim-oot-y := gpio-sim.o irq_sim.o
ccflags-y := -DCONFIG_IRQ_SIM=1 -I$(src)
"""
_FORM: Final = 1  # of the built directory
_NEWER: Final = "a newer kernel needs a newer axiom_hw"
_ROOM: Final = 1200 << 20  # packages, what is unpacked of them, objects
_PWM_SIM: Final = Path(__file__).parent / "files/pwm-sim.c"


@dataclass(frozen=True, slots=True)
class Built:
    """A built kernel: `release` as `uname -r` says it; the image, and the first root without what a boot adds.

    The image is the kernel without its own decompressor, which takes two seconds where QEMU translates: it starts by
    the protocol PVH (Documentation/arch/x86/boot.rst, xen's pvh.pandoc).
    """

    directory: Path
    release: str

    @property
    def image(self) -> Path:
        """What QEMU starts."""
        return self.directory / "vmlinux"

    @property
    def first_root(self) -> Path:
        """Busybox and modules, as an archive of `Archive`."""
        return self.directory / "first-root.cpio"


def built_kernels(cache: Path | None = None) -> list[Built]:
    """The kernels that this version of the package made, the newest first. Damaged ones are left out."""
    cache = cache_directory() if cache is None else cache
    found = [path for path in cache.glob(f"kernel-*-{_recipe()}") if is_whole(path)]
    found.sort(key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)[:4]], reverse=True)
    return [Built(path, (path / "release").read_text()) for path in found]


def kernel(say: Say, cache: Path | None = None) -> Built:
    """The newest kernel that was built; builds one where there is none. Raises `TwinError`."""
    cache = cache_directory() if cache is None else cache
    if found := built_kernels(cache):
        return found[0]
    with locked(cache, say):
        found = built_kernels(cache)  # by the process that was waited for
        if not found and any(cache.glob(f"kernel-*-{_recipe()}")):
            say("the kernel in the cache is damaged: building it again")
        return found[0] if found else _build(cache, say, only_new=False)


def newer_kernel(say: Say, cache: Path | None = None) -> Built:
    """Debian's newest kernel; builds it where it isn't the one that is there. Raises `TwinError`."""
    cache = cache_directory() if cache is None else cache
    with locked(cache, say):
        return _build(cache, say, only_new=True)


def _build(cache: Path, say: Say, *, only_new: bool) -> Built:
    downloads = cache / ".downloads"
    try:
        apt = Apt(downloads, say)
        chosen = apt.newest_kernel()
        target = cache / f"kernel-{chosen.name}-{_recipe()}"
        if not (only_new and is_whole(target)):
            with building(target, _ROOM) as work:
                _build_in(work, chosen, apt, say, cache / "build.log")
        return Built(target, chosen.release)
    finally:
        shutil.rmtree(downloads, ignore_errors=True)


def _build_in(work: Path, chosen: Kernel, apt: Apt, say: Say, log: Path) -> None:
    say(f"downloading Debian's kernel {chosen.release}, its headers and its sources: 280 MB, once")
    image, *headers, sources = apt.download(*chosen.packages)
    (busybox,) = apt.download("busybox-static")
    parts = work / "parts"
    say("unpacking")
    for package in (image, *headers, busybox):
        unpack(package, parts)
    _take_sources(sources, parts)
    say("building gpio-sim")
    extra = _build_modules(parts, chosen, log)
    say("collecting modules")
    _write_image(parts / f"boot/vmlinuz-{chosen.release}", work / "vmlinux")
    (work / "first-root.cpio").write_bytes(_first_root(parts, extra))
    (work / "release").write_text(chosen.release)
    shutil.rmtree(parts)


def _take_sources(package: Path, parts: Path) -> None:
    """Take three files out of an archive of 85,000 within a package; nothing else is written to the disk."""
    inner = f"./usr/src/linux-source-{SERIES}.tar.xz"
    wanted = [f"linux-source-{SERIES}/{path}" for path in _SOURCES]
    with (
        subprocess.Popen(
            ("dpkg-deb", "--fsys-tarfile", package), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as a,
        subprocess.Popen(("tar", "-xO", inner), stdin=a.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as b,
    ):
        for stage in (a, b):
            if stage.stdout is not None and stage is a:
                stage.stdout.close()  # so that it hears when its reader has enough
        done = subprocess.run(
            ("tar", "-xJ", "--occurrence=1", "-C", parts, *wanted),
            stdin=b.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        if b.stdout is not None:
            b.stdout.close()
    if done.returncode != 0:
        raise TwinError(
            package.name, f"doesn't have the sources of gpio-sim where they should be: {done.stderr.strip()}"
        )


def _build_modules(parts: Path, chosen: Kernel, log: Path) -> tuple[Path, ...]:
    headers = parts / "usr/src" / f"linux-headers-{chosen.release}"
    # The package's makefile leads to /usr/src, where it would be if it were installed.
    (headers / "Makefile").write_text(f"include {parts}/usr/src/linux-headers-{chosen.name}-common/Makefile\n")
    _check_compiler(headers)
    module = parts / "gpio-sim"
    module.mkdir()
    for path in _SOURCES:
        shutil.copy(parts / f"linux-source-{SERIES}" / path, module)
    simulator = module / "irq_sim.c"
    text = simulator.read_text()
    if _NOT_EXPORTED not in text:
        raise TwinError("irq_sim.c", f"isn't as expected: it lacks `{_NOT_EXPORTED}`", _NEWER)
    simulator.write_text(text.replace(_NOT_EXPORTED, _EXPORTED))
    shutil.copy(_PWM_SIM, module)
    (module / "Kbuild").write_text(_KBUILD)
    # Type information (BTF) of modules would need pahole, and nothing here reads it.
    run_tool("make", "-C", headers, f"M={module}", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules", log=log)
    return (module / "gpio-sim-oot.ko", module / "pwm-sim.ko")


def _write_image(packed: Path, image: Path) -> None:
    """Take the kernel out of a bzImage: Documentation/arch/x86/boot.rst, fields setup_sects and payload_*."""
    content = packed.read_bytes()
    offset, size = struct.unpack_from("<II", content, 0x248)
    begin = (content[0x1F1] + 1) * 512 + offset
    payload = content[begin : begin + size]
    if not payload.startswith(_ZSTD):
        raise TwinError(packed.name, "isn't packed by zstd, as Debian's kernels are", _NEWER)
    part = image.with_suffix(".zst")
    part.write_bytes(payload[:-4])  # behind it is the size, for the kernel's own decompressor
    run_tool("zstd", "-q", "-d", part, "-o", image)
    part.unlink()


def _check_compiler(headers: Path) -> None:
    """Kernel and modules are built by one compiler: its name stands in the headers."""
    found = re.search(r"gcc-\d+", (headers / ".kernelvariables").read_text())
    if found and shutil.which(f"x86_64-linux-gnu-{found[0]}") is None:
        raise missing_tool(found[0])


def _first_root(parts: Path, extra: tuple[Path, ...]) -> bytes:
    modules_of = parts / "usr/lib/modules"  # Debian 13; in Debian 12 it is /lib/modules
    tree = ModuleTree(modules_of if modules_of.is_dir() else parts / "lib/modules", extra)
    archive = Archive()
    archive.add_console()
    for name in ("proc", "sys", "run", "root"):
        archive.add_directory(name)
    archive.add("bin/busybox", _busybox(parts).read_bytes(), 0o755)
    known: set[str] = set()
    for row, wanted in (("host", HOST_MODULES), ("debian", DISK_MODULES), ("devices", DEVICE_MODULES)):
        modules = tree.closure(wanted)
        archive.add(f"modules/{row}", "".join(f"{name}\n" for name in modules).encode())
        for name, content in modules.items():
            if name not in known:
                archive.add(f"modules/{name}.ko", content)
        known |= set(modules)
    return archive.to_bytes()


def _busybox(parts: Path) -> Path:
    """Debian 12 has it in /bin, Debian 13 in /usr/bin."""
    return next(path for path in (parts / "bin/busybox", parts / "usr/bin/busybox") if path.exists())


def _recipe() -> str:
    """What the parts depend on; `_FORM` is raised by whoever changes how they are made."""
    told = (_FORM, SERIES, HOST_MODULES, DISK_MODULES, DEVICE_MODULES, _SOURCES, _EXPORTED, _KBUILD)
    return digest_of(repr(told).encode(), _PWM_SIM.read_bytes())
