"""Watchers: conditions on fields of events, compiled to programs like any other.

conditions.py  what an application writes: above(30), changed()
event.py       what a firing tells
state.py       what a program keeps of each watcher, and where
code.py        instructions, with labels
condition.py   the test of one watcher, as instructions
emit.py        the watchers of one hook, as one program
rings.py       subprograms that tell of firings through a ring, at most one an interval
watchers.py    the watchers of an application and of its board

All watchers of a hook are one program: straight code, in which each has its constants, and one map with the state of
all. No compiler is needed for that. docs/watchers.md says what they mean.
"""
