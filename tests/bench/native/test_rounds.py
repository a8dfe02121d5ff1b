"""Rounds are interleaved, calibrated and summed up right; lines say what they measured. Nothing here is timed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bench.native.rounds import Contestant, Sample, best, mean_ratio, measure, ratio
from tests.bench.native.table import Goal, Line, ns_line, ns_text


class Stage:
    """Contestants that take scripted times on a clock of their own, and a diary of who ran how often."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.diary: list[tuple[str, int]] = []

    def clock(self) -> int:
        return self.now_ns

    def work(self, name: str, ns_a_run: int, fixed_ns: int = 0) -> Callable[[int], None]:
        def run(times: int) -> None:
            self.diary.append((name, times))
            self.now_ns += fixed_ns + times * ns_a_run

        return run


def sample(name: str, *rounds_ns: float) -> Sample:
    return Sample(name, rounds_ns)


def test_rounds_are_interleaved_and_about_as_long_as_asked() -> None:
    stage = Stage()
    contestants = [Contestant("a", stage.work("a", 10)), Contestant("b", stage.work("b", 1000))]
    a, b = measure(contestants, rounds=3, round_ns=100_000, clock=stage.clock)
    assert stage.diary[-6:] == [("a", 10_000), ("b", 100)] * 3
    assert (a.name, a.rounds_ns) == ("a", (10.0, 10.0, 10.0))
    assert (b.name, b.rounds_ns) == ("b", (1000.0, 1000.0, 1000.0))


def test_a_contestant_is_prepared_before_each_round_and_never_does_more_than_it_can() -> None:
    stage = Stage()
    prepared: list[int] = []
    contestant = Contestant("a", stage.work("a", 1), 64, lambda: prepared.append(len(stage.diary)))
    measure([contestant], rounds=2, round_ns=100_000, clock=stage.clock)
    assert stage.diary[-2:] == [("a", 64), ("a", 64)]
    assert prepared == list(range(len(stage.diary)))


def test_work_that_takes_no_time_at_all_is_not_repeated_for_ever() -> None:
    stage = Stage()
    (found,) = measure([Contestant("a", stage.work("a", 0), 1000)], rounds=1, round_ns=10, clock=stage.clock)
    assert stage.diary[-1] == ("a", 1000)
    assert found.rounds_ns == (0.0,)
    assert ratio(found, found) == float("inf")


def test_a_contestant_with_its_own_clock_is_believed() -> None:
    stage = Stage()
    slow = stage.work("a", 7, fixed_ns=5000)

    def work(times: int) -> int:
        slow(times)
        return 7 * times

    (found,) = measure([Contestant("a", work, own_clock=True)], rounds=2, round_ns=700, clock=stage.clock)
    assert found.rounds_ns == (7.0, 7.0)


def test_a_clock_that_says_nothing_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="a has a clock of its own, but says None"):
        measure([Contestant("a", lambda times: None, own_clock=True)], rounds=1)


def test_a_sample_is_its_median_and_the_span_of_its_middle_half() -> None:
    noisy = sample("a", 100, 110, 90, 5000, 100)
    assert noisy.ns == 100
    assert noisy.spread == pytest.approx(0.1)  # from 100 to 110
    assert sample("a", 3).spread == 0.0


def test_ratios_are_those_of_medians() -> None:
    ours, gcc, clang = sample("ours", 105, 90, 100), sample("gcc", 200, 190, 210), sample("clang", 80, 80, 1000)
    assert ratio(ours, gcc) == 0.5
    assert best([gcc, clang]) is clang
    assert ratio(ours, best([gcc, clang])) == 1.25
    assert mean_ratio([(ours, gcc), (gcc, ours)]) == pytest.approx(1.0)
    assert mean_ratio([(ours, gcc), (clang, sample("x", 10))]) == pytest.approx(2.0)


def test_overhead_is_taken_off_and_parts_are_equal() -> None:
    ours = sample("ours", 1000, 3000, 2000)
    assert ours.less(sample("empty", 400, 500, 600)).rounds_ns == (500, 2500, 1500)
    assert ours.less(sample("empty", 2500)).rounds_ns == (0, 500, 0)
    assert ours.each(1000).ns == 2.0


@pytest.mark.parametrize(
    ("goal", "value", "said"),
    [
        (Goal(1.05), 1.05, "goal: at most 1.05, reached"),
        (Goal(0.5), 0.6, "goal: at most 0.5, missed by 20%"),
        (Goal(0.9, at_least=True), 0.95, "goal: at least 0.9, reached"),
        (Goal(0.9, at_least=True), 0.45, "goal: at least 0.9, missed by 50%"),
    ],
)
def test_a_goal_says_how_far_off_a_value_is(goal: Goal, value: float, said: str) -> None:
    assert goal.said_of(value) == said


def test_lines_say_figure_spread_ratio_and_goal() -> None:
    line = Line("fir: llvm engine", "310 ns", 0.02, 0.646, "gcc -O2", Goal(1.05))
    assert " ".join(line.text().split()) == ("fir: llvm engine 310 ns ±1% 0.646 x gcc -O2 goal: at most 1.05, reached")
    assert " ".join(ns_line(sample("gcc", 1500)).text().split()) == "gcc 1,500 ns ±0%"
    timed = Line("compile", "25 ms", goal=Goal(20), number=25)
    assert " ".join(timed.text().split()) == "compile 25 ms goal: at most 20, missed by 25%"


def test_a_line_that_has_no_figure_says_why() -> None:
    assert Line("kernel", why_not="bpf(2) isn't permitted").text() == (
        f"  {'kernel':<46}not measured: bpf(2) isn't permitted"
    )


def test_short_times_keep_three_digits() -> None:
    assert [ns_text(ns) for ns in (0.4567, 18.04, 123.4, 5_600_000)] == ["0.457 ns", "18 ns", "123 ns", "5,600,000 ns"]
