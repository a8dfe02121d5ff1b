"""From an edge to an output on a real kernel: the native pump against a C loop, gpiod, lgpio and gpiozero.

stimulus.c      changes a line, and waits for another one
loop.c          the C loop;  by_axiom.py, by_gpiod.py, by_lgpio.py, by_gpiozero.py  the others
lines.py        the simulated chip
contestants.py  who takes part, each as a process
guest.py        measures, in the twin
figures.py      what was found, as a table, and the goals
__main__.py     boots the twin, and prints

gpio-sim's `pull` attribute is the finger, and the kernel's own trace events are the eye, so all are timed alike and
from outside: from the interrupt of an edge to the moment in which the kernel sets the output.
"""
