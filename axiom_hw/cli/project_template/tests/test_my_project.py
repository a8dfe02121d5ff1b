"""The program on a mock bench, in virtual time: nobody has to press, and seconds take none."""

import axiom_hw as hw
from axiom_hw.testing import RunFile, assert_safe


def test_each_press_switches_the_led(bench: hw.MockBench, run_file: RunFile) -> None:
    project = run_file("my_project.py")
    bench.after("1s").press("button")
    bench.after("200ms").release("button")
    bench.after("800ms").press("button")
    bench.advance("3s")
    assert bench.history("led") == [(0, 0), ("1005ms", 1), ("2005ms", 0)]  # 5 ms: the button is debounced
    assert project.presses[0] == 2
    assert_safe(bench)
