"""What the guest printed, as figures."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.bench.latency.figures import Figures


@dataclass(frozen=True, slots=True)
class Report:
    """All that took part, in their order; and who didn't, with the reason."""

    found: tuple[Figures, ...]
    absent: tuple[tuple[str, str], ...]


def parse_report(text: str) -> Report:
    """Read the last line of what `guest` prints. Raises `ValueError` for what isn't that."""
    lines = text.strip().splitlines()
    data = json.loads(lines[-1]) if lines else None
    if not isinstance(data, dict):
        raise ValueError(f"the twin printed no figures, but {text[-200:]!r}")
    found, absent = [], []
    for name, cells in data.items():
        if "absent" in cells:
            absent.append((name, cells["absent"]))
        else:
            rounds = tuple(tuple(ns) for ns in cells["rounds_ns"])
            found.append(Figures(name, rounds, cells["missed"], cells.get("wakeups"), cells.get("idle_cpu_ns")))
    return Report(tuple(found), tuple(absent))
