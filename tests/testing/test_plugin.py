"""The pytest plugin, in suites of other people: what passes, what a failure shows, and what stays out of the way."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

pytest_plugins = "pytester"

FOLLOW = """
import axiom_hw as hw

app = hw.App("follow", board="rpi5-bench")
presses = app.array("presses", hw.u64)
edges = app.ringbuf("edges", hw.GpioEvent)

@app.on("gpio/button")
def follow(ctx: hw.GpioEvent) -> int:
    presses[0] += ctx.value
    hw.gpio_set("led", ctx.value)
    edges.output(ctx)
    return 0

@app.scenario
def fingers(bench: hw.MockBench) -> None:
    bench.after("50ms").press("button")
"""
BOARD = """
[chip.header]
label = "pinctrl-rp1"
[input.door]
line = 4
[output.lamp]
line = 5
safe = "high"
"""


def suite(pytester: pytest.Pytester, tests: str, *options: str, **files: str) -> pytest.RunResult:
    """Run somebody's tests, beside these files, in a process of their own."""
    for name, text in files.items():
        pytester.path.joinpath(f"{name}.py").write_text(textwrap.dedent(text))
    pytester.makepyfile(test_own=textwrap.dedent(tests))
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error")
    return pytester.runpytest_subprocess(*options)


@pytest.mark.llvm
def test_programs_run_on_the_bench_in_virtual_time_and_each_test_begins_anew(pytester: pytest.Pytester) -> None:
    ran = suite(
        pytester,
        """
        import pytest
        from axiom_hw.testing import assert_safe

        @pytest.mark.engines
        @pytest.mark.parametrize("presses", [1, 2])
        def test_the_led_follows(bench, run_file, presses):
            follow = run_file("follow.py")
            assert_safe(bench)
            for _ in range(presses):
                bench.after("100ms").press("button", bounces=2)
                bench.after("100ms").release("button")
            bench.advance("1s")
            changes = [(0, 0)]
            for n in range(presses):
                changes += [(f"{200 * n + 106.6:.1f}ms", 1), (f"{200 * n + 205}ms", 0)]
            assert bench.history("led") == changes
            assert bench.value("led") == 0
            assert follow.presses[0] == presses
            assert [edge.value for edge in follow.edges.consume()] == [1, 0] * presses

        def test_an_app_of_ones_own_and_its_scenario(bench, run_app):
            import follow
            assert run_app(follow.app, scenario=True) is follow.app
            bench.advance("1s")
            assert bench.history("led") == [(0, 0), ("55ms", 1)]
            assert follow.app.runtime.loader.engine.value == "interp"

        def test_spies_work(bench, run_file, mocker):
            press = mocker.spy(bench, "press")
            run_file("follow.py")
            bench.press("button")
            bench.settle()
            press.assert_called_once_with("button")
            assert bench.value("led") == 1

        def test_without_a_program(bench):
            assert bench.board.name == "rpi5-bench"
            assert bench.clock.now_ns() == 0
        """,
        follow=FOLLOW,
    )
    ran.assert_outcomes(passed=7)


@pytest.mark.llvm
def test_a_failure_draws_what_the_output_did(pytester: pytest.Pytester) -> None:
    ran = suite(
        pytester,
        """
        from axiom_hw.testing import assert_safe

        def test_times(bench, run_file):
            run_file("follow.py")
            bench.after("100ms").press("button")
            bench.after("100ms").release("button")
            bench.advance("1s")
            assert bench.history("led") == [(0, 0), ("100ms", 1), ("205ms", 0)]

        def test_safety(bench, run_file):
            run_file("follow.py")
            bench.press("button")
            bench.settle()
            assert_safe(bench)
        """,
        follow=FOLLOW,
    )
    ran.assert_outcomes(failed=2)
    ran.stdout.fnmatch_lines(
        [
            'E * led differs at change 1: expected ("100ms", 1), was ("105ms", 1)',
            "E   *expected  __________________________*####*____*",
            "E   *was       ___________________________*####*____*",
            "E   *          0 *225500us",
            "*outputs that aren't safe:",
            "*  led is 1; safe is 0",
        ]
    )


@pytest.mark.llvm
def test_engines_that_are_named_and_those_that_arent(pytester: pytest.Pytester) -> None:
    ran = suite(
        pytester,
        """
        import pytest

        @pytest.mark.engines("interp", "auto")
        def test_engine(run_file, axiom_engine):
            app = run_file("follow.py").app
            assert app.runtime.loader.engine.value == axiom_engine
        """,
        "-v",
        follow=FOLLOW,
    )
    ran.assert_outcomes(passed=2)
    ran.stdout.fnmatch_lines(["*test_engine?interp? PASSED*", "*test_engine?auto? PASSED*"])
    wrong = suite(pytester, "import pytest\n@pytest.mark.engines('lvm')\ndef test_it(bench): pass\n")
    wrong.stdout.fnmatch_lines(["*@pytest.mark.engines knows interp, llvm and auto, not 'lvm'*"])


def test_the_board_is_the_one_that_is_named_or_the_only_one_of_the_project(pytester: pytest.Pytester) -> None:
    pytester.mkdir("boards").joinpath("hut.toml").write_text(BOARD)
    ran = suite(
        pytester,
        """
        import pytest
        from axiom_hw.testing import assert_safe

        def test_the_only_one(bench):
            assert bench.board.name == "hut"
            with bench.runtime():
                bench.drive("door", 1)
                assert bench.value("door") == 1
                assert_safe(bench)
                assert bench.history("lamp") == [(0, 1)]

        @pytest.mark.board("rpi5-bench")
        def test_named(bench):
            assert bench.board.input("button").debounce_ns == 5_000_000

        @pytest.mark.board("hutt")
        def test_misspelt(bench):
            pass
        """,
    )
    ran.assert_outcomes(passed=2, errors=1)
    ran.stdout.fnmatch_lines(["*board `hutt`: isn't known; there are *hut*", "*did you mean `hut`?*"])


def test_what_isnt_an_application_is_told(pytester: pytest.Pytester) -> None:
    ran = suite(
        pytester,
        """
        import pytest
        from axiom_hw.errors import SpecError

        def test_files(run_file):
            with pytest.raises(SpecError, match="makes 0 Apps; run_file.. takes a file that makes one"):
                run_file("empty.py")
            with pytest.raises(SpecError, match="there is no such Python file"):
                run_file("nowhere.py")
        """,
        empty="x = 1\n",
    )
    ran.assert_outcomes(passed=1)


def test_suites_that_use_nothing_of_it_load_nothing_of_it(pytester: pytest.Pytester) -> None:
    ran = suite(
        pytester,
        """
        import sys
        import pytest

        @pytest.fixture
        def bench():
            return "a bench of ones own"

        def test_own(bench):
            assert bench == "a bench of ones own"
            loaded = sorted(name for name in sys.modules if name.partition(".")[0] in ("axiom_hw", "llvmlite", "gpiod"))
            assert loaded == ["axiom_hw", "axiom_hw.testing"]
            assert [1, 2] != [3]
        """,
    )
    ran.assert_outcomes(passed=1)


def test_it_is_found_where_axiom_hw_is_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"axiom_hw": "axiom_hw.testing"}
    code = "import axiom_hw.testing, sys; print(len([n for n in sys.modules if n.startswith('axiom_hw.')]))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"
