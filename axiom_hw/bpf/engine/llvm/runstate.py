"""What a run of native code shares with who started it: a struct of the slot, seen from both sides.

The IR knows it by offsets, Python as a `ctypes` structure. Native code leaves with `abort` set where a helper raised.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Final

# A proved program releases each record that it holds, so it keeps a pointer to each: in one of the registers
# of 8 frames, or in a stack of 512 bytes. More can't be held at once.
MOST_HELD: Final = 8 * 10 + 512 // 8


class Abort(IntEnum):
    """Why native code gave up."""

    NONE = 0
    RAISED = 1  # a helper that is Python raised; whoever called it keeps the exception
    EXCLUDED = 2  # an instruction that the proof excluded was reached: a bug of the verifier or of the engine


class RunState(ctypes.LittleEndianStructure):
    """The run state of one slot. `held` are the ring records that the program owns: map index << 48 | offset.

    Synchronization: as the slot, one thread at a time.
    """

    _fields_ = (
        ("slot", ctypes.c_uint32),
        ("abort", ctypes.c_uint32),
        ("pc", ctypes.c_uint64),  # of an abort EXCLUDED
        ("held_count", ctypes.c_uint64),
        ("held", ctypes.c_uint64 * MOST_HELD),
    )


SLOT_AT: Final = RunState.slot.offset
ABORT_AT: Final = RunState.abort.offset
PC_AT: Final = RunState.pc.offset
HELD_COUNT_AT: Final = RunState.held_count.offset
HELD_AT: Final = RunState.held.offset
HELD_SHIFT: Final = 48  # where the map's index begins in an entry of `held`
