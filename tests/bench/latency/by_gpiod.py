"""gpiod's events, as its examples read them. `python by_gpiod.py LABEL INPUT OUTPUT`."""

from __future__ import annotations

import sys

import gpiod
from gpiod.line import Direction, Edge, Value

from tests.bench.latency.lines import find_chip


def main(label: str, line: int, led: int) -> None:
    """Follow for ever."""
    path = str(find_chip(label).device)
    inputs = gpiod.request_lines(path, {line: gpiod.LineSettings(edge_detection=Edge.BOTH)}, consumer="gpiod")
    outputs = gpiod.request_lines(path, {led: gpiod.LineSettings(direction=Direction.OUTPUT)}, consumer="gpiod")
    print("ready", flush=True)
    while True:
        for event in inputs.read_edge_events():
            rising = event.event_type is event.Type.RISING_EDGE
            outputs.set_value(led, Value.ACTIVE if rising else Value.INACTIVE)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
