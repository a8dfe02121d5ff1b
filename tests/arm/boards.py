"""The boards that qemu-user pretends to be: a processor, its page size, and what their kernel says of them."""

from __future__ import annotations

from dataclasses import dataclass

# LLVM asks /proc/cpuinfo which processor it tunes for. Without one of the board's own it would read this machine's,
# and make generic code that never meets what a Pi runs.
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: {variant}
CPU part\t: {part}
CPU revision\t: {revision}

"""


@dataclass(frozen=True, slots=True)
class ArmBoard:
    """One kind of Raspberry Pi, as far as a program of userspace can tell."""

    name: str
    cpu: str  # as both LLVM and qemu call it
    page_bytes: int  # of Pi OS's default kernel
    features: str  # the rest as in /proc/cpuinfo, of the first of its cores
    variant: str
    part: str
    revision: int

    def cpuinfo(self) -> str:
        return CPUINFO.format(features=self.features, variant=self.variant, part=self.part, revision=self.revision)


PI5 = ArmBoard(
    name="rpi5",
    cpu="cortex-a76",
    page_bytes=16_384,
    features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
    variant="0x4",
    part="0xd0b",
    revision=1,
)
# No `atomics`: an atomic addition is a loop of ldxr and stxr here, and the instruction of a Pi 5 ends the process.
PI4 = ArmBoard(
    name="rpi4",
    cpu="cortex-a72",
    page_bytes=4_096,
    features="fp asimd evtstrm crc32 cpuid",
    variant="0x0",
    part="0xd08",
    revision=3,
)
