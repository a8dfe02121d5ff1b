"""What runs inside of the twin, by its own Python: no package but the standard library, and none of axiom_hw but this.

It is sent along at each boot. The host imports `frames` of it, so both ends speak from one table.

It starts with every boot, and an emulated processor takes a second for what `dataclasses`, `pathlib` and `subprocess`
import. So it does without them.
"""
