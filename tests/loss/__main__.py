"""`make test-loss`: a million edges with injected losses through each path; received plus reported lost equals sent."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm.available import why_not
from tests.loss.paths import Tally, library_path, mock_path, pump_path, replayed_path

EDGES = 1_000_000


def main(edges: int = EDGES) -> None:
    failed = False

    def check(name: str, path: Callable[[], Tally]) -> Tally:
        nonlocal failed
        begin = time.monotonic()
        tally = path()
        failed = failed or not tally.is_exact
        verdict = "exact" if tally.is_exact else f"WRONG: {tally}"
        print(f"{name:<28} {tally.text}  {verdict}  {time.monotonic() - begin:.0f} s", flush=True)
        return tally

    engine = Engine.INTERP if why_not() else Engine.LLVM
    with tempfile.TemporaryDirectory() as directory:
        recording = Path(directory) / "loss.axr"
        before = check("mock, recorded", lambda: mock_path(edges, 1, engine, recording))
        check("replay", lambda: replayed_path(recording, before, engine))
    if not why_not():
        check("native pump", lambda: pump_path(edges, 2))
    check("library with a full queue", lambda: library_path(edges, 3, dropping=False))
    if failed:
        sys.exit("edges were lost, and nobody told")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
