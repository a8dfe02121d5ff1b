"""Events without Python: native code reads descriptors, runs programs, and sleeps when there is nothing to do.

loop.py   the loop, in the subset that native code is made of
calls.py  how it calls a program
table.py  what runs on which hook, as addresses
pump.py   a thread that serves the loop, and does what only Python can
"""

from axiom_hw.pump.pump import Pump
from axiom_hw.pump.table import Entry, NativeProgram

__all__ = ["Entry", "NativeProgram", "Pump"]
