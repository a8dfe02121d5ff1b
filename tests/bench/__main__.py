"""`python -m tests.bench [NAME ...]`: every bench, or those named, as a plain table."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.bench import dispatch, edge, iio, path, pump, watchers
from tests.bench.rows import Row

BENCHES: dict[str, Callable[[], list[Row]]] = {
    "dispatch": dispatch.run,
    "path": path.run,
    "pump": pump.run,
    "edge": edge.run,
    "iio": iio.run,
    "watchers": watchers.run,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"{unknown[0]}: no bench of that name; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 1
    for name in names or BENCHES:
        print(name)
        for row in BENCHES[name]():
            ratio = f"{row.ratio:8.2f} x {row.against}" if row.ratio is not None else ""
            print(f"  {row.name:<44}{row.value:>12,.0f} {row.unit:<12}{ratio}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
