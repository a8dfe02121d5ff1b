"""`GPIOZERO_PIN_FACTORY=axiom python script.py`: code written for gpiozero, unchanged, on this project's backends.

factory.py  the factory: the header's chip, PWM channels, revision; how it ends     pin.py    one pin
edges.py    the thread that brings edges                                            pwm.py    hardware, or a thread
mock.py     AXIOM_MOCK=1: a header in memory, whose pins a test drives
"""

from axiom_hw.gpiozero_factory.factory import AxiomFactory
from axiom_hw.gpiozero_factory.mock import MockHeader

__all__ = ["AxiomFactory", "MockHeader"]
