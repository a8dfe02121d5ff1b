"""lgpio's callbacks. `python by_lgpio.py LABEL INPUT OUTPUT`."""

from __future__ import annotations

import signal
import sys

import lgpio

from tests.bench.latency.lines import find_chip


def main(label: str, line: int, led: int) -> None:
    """Follow for ever."""
    chip = lgpio.gpiochip_open(find_chip(label).number)
    lgpio.gpio_claim_output(chip, led)
    lgpio.gpio_claim_alert(chip, line, lgpio.BOTH_EDGES)

    def follow(_chip: int, _line: int, level: int, _timestamp_ns: int) -> None:
        lgpio.gpio_write(chip, led, level)

    lgpio.callback(chip, line, lgpio.BOTH_EDGES, follow)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
