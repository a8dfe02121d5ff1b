"""The guard over a board's outputs.

guard.py     who may write what: limits, the latched emergency stop, the safe state
actuator.py  an output with the device behind it
audit.py     the last decisions
line_ops.py, shared_lines.py   the same rules for lines that native code writes
"""

from axiom_hw.actuation.actuator import Actuator, open_actuators
from axiom_hw.actuation.audit import Decision, Verdict
from axiom_hw.actuation.guard import Failure, Guard, PwmListener, ReadInput, Stop

__all__ = ["Actuator", "Decision", "Failure", "Guard", "PwmListener", "ReadInput", "Stop", "Verdict", "open_actuators"]
