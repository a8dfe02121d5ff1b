"""An application as a service of systemd: `axiom-hw run APP --systemd`, and `axiom-hw unit APP`, which prints the unit.

unit.py         the text of a unit: what the board needs is allowed, the rest isn't
exits.py        what the process ends with, and which of these another start wouldn't change
"""

from __future__ import annotations

from axiom_hw.service.exits import FINAL, Exit, SelfTestFailed, exit_of
from axiom_hw.service.unit import Access, Unit, access_of, unit_name, unit_text

__all__ = ["FINAL", "Access", "Exit", "SelfTestFailed", "Unit", "access_of", "exit_of", "unit_name", "unit_text"]
