"""Runs instructions on this machine's own Linux, by bpf(2): a second opinion on what they mean, where permitted."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import Final

from axiom_hw.bpf.insn import Insn, encode

_CALL_NUMBERS: Final = {"x86_64": 321, "aarch64": 280}  # asm/unistd.h
_PROG_LOAD, _PROG_TEST_RUN = 5, 10  # enum bpf_cmd
_SOCKET_FILTER: Final = 1  # enum bpf_prog_type: the one with the fewest conditions
_PACKET_BYTES: Final = 64  # test runs of socket filters want an Ethernet header and more
_ATTR_BYTES: Final = 128
_LICENSE: Final = ctypes.create_string_buffer(b"GPL")


class Refused(Exception):
    """The kernel's verifier, or its rules on who may load programs, said no."""


def permitted() -> bool:
    """Whether this process may load programs."""
    try:
        return _run((Insn(0xB7, imm=7), Insn(0x95))) == 7
    except Refused:
        return False


def run(program: tuple[Insn, ...]) -> int:
    """r0, all 64 bits, of a program that uses no context and no maps. Raises `Refused`.

    A test run gives 32 bits, so the program runs twice, as the subprogram of one that returns a half of its result.
    """
    low = _run((Insn(0x85, src=1, imm=1), Insn(0x95), *program))
    high = _run((Insn(0x85, src=1, imm=2), Insn(0x77, imm=32), Insn(0x95), *program))
    return high << 32 | low


def _run(program: tuple[Insn, ...]) -> int:
    code = encode(program)
    text = ctypes.create_string_buffer(code, len(code))
    addresses = (ctypes.addressof(text), ctypes.addressof(_LICENSE))
    fd, _ = bpf(_PROG_LOAD, struct.pack("<IIQQ", _SOCKET_FILTER, len(program), *addresses))
    try:
        packet = ctypes.create_string_buffer(_PACKET_BYTES)
        attr = struct.pack("<IIIIQ", fd, 0, _PACKET_BYTES, 0, ctypes.addressof(packet))
        _, answer = bpf(_PROG_TEST_RUN, attr)
    finally:
        os.close(fd)
    (result,) = struct.unpack_from("<I", answer, 4)
    return int(result)


def bpf(command: int, attr: bytes) -> tuple[int, bytes]:
    """The system call: its result, and the attributes as it left them. Raises `Refused`."""
    number = _CALL_NUMBERS.get(platform.machine())
    if platform.system() != "Linux" or number is None:
        raise Refused(f"no bpf(2) on {platform.system()} {platform.machine()}")
    block = ctypes.create_string_buffer(attr, _ATTR_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(number, command, block, _ATTR_BYTES)
    if result < 0:
        raise Refused(os.strerror(ctypes.get_errno()))
    return result, block.raw
