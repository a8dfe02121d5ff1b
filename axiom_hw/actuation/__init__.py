"""The guard over a board's outputs.

guard.py     who may write what: limits, authority, the latched emergency stop, the safe state
writer.py    orders to devices, in turn; slew rates and watchdogs;  lane.py  the orders of one output
actuator.py  an output with the device behind it;  asker.py  who asks
audit.py     the last decisions;  journal.py  the same in memory that other processes read
safety.py    all outputs at once, to their safe states, whatever fails on the way
state.py     what outlives the process: the latched stop, the decisions
line_ops.py, shared_lines.py   the same rules for lines that native code writes
"""

from axiom_hw.actuation.actuator import CONSUMER, Actuator, open_actuator, open_actuators
from axiom_hw.actuation.asker import Asker
from axiom_hw.actuation.audit import Decision, Verdict
from axiom_hw.actuation.guard import HEARTBEAT_NS, Failure, Guard, ReadInput
from axiom_hw.actuation.state import (
    GuardState,
    Stop,
    forget_stop,
    guarded_boards,
    keep_stop,
    read_stop,
    state_directory,
)
from axiom_hw.actuation.writer import PwmListener

__all__ = [
    "CONSUMER",
    "HEARTBEAT_NS",
    "Actuator",
    "Asker",
    "Decision",
    "Failure",
    "Guard",
    "GuardState",
    "PwmListener",
    "ReadInput",
    "Stop",
    "Verdict",
    "forget_stop",
    "guarded_boards",
    "keep_stop",
    "open_actuator",
    "open_actuators",
    "read_stop",
    "state_directory",
]
