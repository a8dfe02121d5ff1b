"""The relocations that LLVM's code generators leave in position independent code, as a table of bit fields.

x86-64: System V psABI, AMD64 supplement, 4.4. AArch64: ELF for the Arm 64-bit Architecture, 5.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

_PAGE: Final = 0xFFF  # an instruction's page, which has 4 KiB whatever the system's have


class To(Enum):
    """What a relocation leads to."""

    SYMBOL = "symbol"
    CALL = "call"  # the symbol, or a stub that goes on to where it is
    SLOT = "slot"  # the 8 bytes that hold the symbol's address


class Measure(Enum):
    """What its field takes."""

    DISTANCE = "distance"  # from the field
    PAGES = "pages"  # from the field's page to the target's
    LOW = "low"  # where the target lies in its page


class OutOfReach(ValueError):
    """A target that the field can't express."""


@dataclass(frozen=True, slots=True)
class Relocation:
    """One kind of field. `shift` low bits of the value are 0 and left out; `pieces` are its bits in the word, the
    lowest first: how many, and from which bit on.
    """

    name: str
    to: To
    measure: Measure
    shift: int
    pieces: tuple[tuple[int, int], ...]

    def patch(self, image: bytearray, at: int, target: int) -> None:
        """Make the 32-bit word at `at` lead to `target`; both count from the image's start. Raises `OutOfReach`."""
        match self.measure:
            case Measure.DISTANCE:
                value = target - at
            case Measure.PAGES:
                value = (target & ~_PAGE) - (at & ~_PAGE)
            case Measure.LOW:
                value = target & _PAGE
            case _:
                assert_never(self.measure)
        rest = value >> self.shift
        half = 1 << sum(bits for bits, _ in self.pieces) - 1
        if rest << self.shift != value or (self.measure is not Measure.LOW and not -half <= rest < half):
            raise OutOfReach(f"{self.name} reaches {half << self.shift:,} bytes, not {value:,}")
        word = int.from_bytes(image[at : at + 4], "little")
        for bits, first in self.pieces:
            mask = (1 << bits) - 1
            word = word & ~(mask << first) | (rest & mask) << first
            rest >>= bits
        image[at : at + 4] = word.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class Machine:
    """How code of one processor is linked. `stub` jumps to the address in a slot; `stub_fields` are its relocations,
    all to that slot: where, which, and what is added to the target.
    """

    relocations: Mapping[int, Relocation]
    stub: bytes
    stub_fields: tuple[tuple[int, int, int], ...]


_WORD: Final = ((32, 0),)
_BRANCH: Final = ((26, 0),)
_ADR: Final = ((2, 29), (19, 5))


def _lo12(name: str, shift: int, to: To = To.SYMBOL) -> Relocation:
    """The offset in a page, as an instruction takes it that accesses `1 << shift` bytes."""
    return Relocation(name, to, Measure.LOW, shift, ((12 - shift, 10),))


_D, _P = Measure.DISTANCE, Measure.PAGES
_X86_64: Final = {
    2: Relocation("R_X86_64_PC32", To.SYMBOL, _D, 0, _WORD),
    4: Relocation("R_X86_64_PLT32", To.CALL, _D, 0, _WORD),
    9: Relocation("R_X86_64_GOTPCREL", To.SLOT, _D, 0, _WORD),
    41: Relocation("R_X86_64_GOTPCRELX", To.SLOT, _D, 0, _WORD),
    42: Relocation("R_X86_64_REX_GOTPCRELX", To.SLOT, _D, 0, _WORD),
}
_AARCH64: Final = {
    261: Relocation("R_AARCH64_PREL32", To.SYMBOL, _D, 0, _WORD),
    275: Relocation("R_AARCH64_ADR_PREL_PG_HI21", To.SYMBOL, _P, 12, _ADR),
    277: _lo12("R_AARCH64_ADD_ABS_LO12_NC", 0),
    278: _lo12("R_AARCH64_LDST8_ABS_LO12_NC", 0),
    282: Relocation("R_AARCH64_JUMP26", To.CALL, _D, 2, _BRANCH),
    283: Relocation("R_AARCH64_CALL26", To.CALL, _D, 2, _BRANCH),
    284: _lo12("R_AARCH64_LDST16_ABS_LO12_NC", 1),
    285: _lo12("R_AARCH64_LDST32_ABS_LO12_NC", 2),
    286: _lo12("R_AARCH64_LDST64_ABS_LO12_NC", 3),
    299: _lo12("R_AARCH64_LDST128_ABS_LO12_NC", 4),
    311: Relocation("R_AARCH64_ADR_GOT_PAGE", To.SLOT, _P, 12, _ADR),
    312: _lo12("R_AARCH64_LD64_GOT_LO12_NC", 3, To.SLOT),
}

MACHINES: Final[Mapping[int, Machine]] = {  # by e_machine
    62: Machine(
        _X86_64,
        b"\xff\x25\0\0\0\0\xcc\xcc",  # jmp *slot(%rip)
        ((2, 9, -4),),
    ),
    183: Machine(
        _AARCH64,
        # adrp x16, slot; ldr x16, [x16, slot]; br x16. Calls may change x16, as the procedure call standard says.
        b"".join(word.to_bytes(4, "little") for word in (0x90000010, 0xF9400210, 0xD61F0200)),
        ((0, 311, 0), (4, 312, 0)),
    ),
}
