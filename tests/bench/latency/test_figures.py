"""What the twin measured becomes a table and verdicts; nothing is timed here."""

from __future__ import annotations

import json

import pytest

from tests.bench.latency.figures import C_LOOP, GPIOD, GPIOZERO, LGPIO, NATIVE, Figures, table, verdicts
from tests.bench.latency.report import parse_report


def figures(name: str, us: int, missed: int = 0) -> Figures:
    """100 edges around so many us, in two rounds."""
    near = tuple(1000 * us + offset for offset in range(-25, 25))
    return Figures(name, (near, near), missed, wakeups=20.0, idle_cpu_ns=1_000_000.0)


def test_goals_are_judged_by_the_medians() -> None:
    found = [figures(NATIVE, 15), figures(C_LOOP, 14), figures(GPIOD, 44), figures(LGPIO, 590), figures(GPIOZERO, 640)]
    assert [verdict.is_reached for verdict in verdicts(found)] == [True, False, True, True]
    assert [verdict.text() for verdict in verdicts(found)] == [
        "the native pump at most 1.3 x the C loop: 1.07 x, reached",
        "the native pump 3 times as fast as gpiod's events: 2.9 times, NOT REACHED",
        "the native pump 5 times as fast as lgpio's callbacks: 39.3 times, reached",
        "the native pump 5 times as fast as gpiozero's callbacks: 42.7 times, reached",
    ]


def test_what_was_not_measured_reaches_no_goal() -> None:
    silent = Figures(GPIOD, ((), ()), 100)
    found = verdicts([figures(NATIVE, 15), figures(C_LOOP, 14), silent])
    assert [verdict.is_reached for verdict in found] == [True, False, False, False]
    assert found[1].text() == "the native pump 3 times as fast as gpiod's events: not measured"


def test_the_table_has_a_row_a_contestant() -> None:
    text = table([figures(NATIVE, 15), figures(C_LOOP, 10, missed=2), Figures(GPIOD, ((),), 50)])
    assert text.splitlines() == [
        "                           p50                   p99      max  missed  wake-ups/s  CPU idle",
        "axiom_hw, native pump  15.0 us  ±0%  1.50 x  15.0 us  15.0 us       0        20.0     0.10%",
        "C loop                 10.0 us  ±0%  1.00 x  10.0 us  10.0 us       2        20.0     0.10%",
        "gpiod's events               -                     -        -      50           -         -",
    ]


def test_a_report_of_the_guest_is_read() -> None:
    cells = {"rounds_ns": [[10, 20], [30]], "missed": 1, "wakeups": 0.5, "idle_cpu_ns": 7.0}
    report = parse_report("noise\n" + json.dumps({C_LOOP: cells, LGPIO: {"absent": "there is no lgpio"}}))
    assert report.found == (Figures(C_LOOP, ((10, 20), (30,)), 1, 0.5, 7.0),)
    assert report.absent == ((LGPIO, "there is no lgpio"),)
    with pytest.raises(ValueError, match="no figures"):
        parse_report("")
