"""Applications whose programs are Python functions: `@app.on`, from the decorator to the event."""

from __future__ import annotations

import pytest

import axiom_hw as hw
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.errors import AxiomError, HookError, SpecError
from axiom_hw.options import Options

BENCH = "rpi5-bench"
MOCK = Options(mock=True)


@hw.layout
class Press:
    """A record."""

    line: hw.u32
    number: hw.u32


def message(raised: pytest.ExceptionInfo[AxiomError]) -> str:
    return str(raised.value).replace(__file__, "FILE")


@pytest.mark.llvm
def test_a_program_counts_streams_and_drives() -> None:
    app = hw.App("button", board=BENCH)
    presses = app.array("presses", hw.u64)
    records = app.ringbuf("records", Press)

    @app.on("gpio/button")
    def follow(ctx: hw.GpioEvent) -> int:
        if ctx.edge == hw.Edge.RISING:
            presses[0] += 1
            records.output(Press(ctx.line, presses[0]))
        hw.gpio_set("led", ctx.value)
        return 0

    @app.scenario
    def fingers(bench: hw.MockBench) -> None:
        bench.after("100ms").press("button")
        bench.after("100ms").release("button")
        bench.after("100ms").press("button")

    with app.running(MOCK):
        app.wait()
        assert app.read("led") == 1
        assert presses[0] == 2
        assert records.consume() == [Press(17, 1), Press(17, 2)]
    assert follow.__name__ == "follow"


@pytest.mark.llvm
def test_one_function_on_several_hooks_and_a_priority() -> None:
    app = hw.App("x", board=BENCH)
    runs = app.array("runs", hw.u64, entries=2)

    @app.on("timer/10ms", "timer/20ms")
    def count(ctx: hw.TimerEvent) -> int:
        runs[0] += 1
        return 0

    @app.on("gpio/button/rising", priority=-5)
    def first(ctx: hw.GpioEvent) -> int:
        runs[1] += 1
        return 0

    with app.running(Options(mock=True, duration_ns=100_000_000)):
        app.wait()
    assert runs[0] == 15
    assert [str(link.program.name) for link in app.links] == ["count", "count", "first"]


@pytest.mark.llvm
def test_a_program_that_is_declared_while_the_app_runs_is_attached_at_once() -> None:
    app = hw.App("x")
    runs = app.array("runs", hw.u64)
    with app.running(Options(mock=True, duration_ns=50_000_000)):

        @app.on("timer/10ms")
        def count(ctx: hw.TimerEvent) -> int:
            runs[0] += 1
            return 0

        app.wait()
    assert runs[0] == 5


@pytest.mark.llvm
def test_names_that_are_defined_later_are_found_when_the_app_runs() -> None:
    app = hw.App("x")

    @app.on("timer/10ms")
    def count(ctx: hw.TimerEvent) -> int:
        later[0] += step()
        return 0

    later = app.array("later", hw.u64)

    def step() -> int:
        return 3

    with app.running(Options(mock=True, duration_ns=20_000_000)):
        app.wait()
    assert later[0] == 6


def test_a_name_that_never_comes_is_told_when_the_app_runs() -> None:
    app = hw.App("x")

    @app.on("timer/10ms")
    def count(ctx: hw.TimerEvent) -> int:
        return nowhere  # type: ignore[name-defined,no-any-return]  # noqa: F821

    with pytest.raises(Refused, match=r"\[P003\] there is no name `nowhere`") as raised, app.running(MOCK):
        pass
    assert raised.value.span.text.strip().startswith("return nowhere")
    assert app.runtime is None, "no device was touched"


def test_what_no_program_can_be_is_refused_where_it_is_declared() -> None:
    app = hw.App("x")
    with pytest.raises(Refused, match="programs have no memory for lists"):

        @app.on("timer/10ms")
        def listing(ctx: hw.TimerEvent) -> int:
            counts = [ctx.count]
            return len(counts)

    assert app.specs() == ()


def test_the_context_must_be_the_hooks() -> None:
    app = hw.App("x")

    def other(ctx: hw.GpioEvent) -> int:
        return 0

    def untyped(ctx) -> int:  # type: ignore[no-untyped-def]
        return 0

    def two(ctx: hw.TimerEvent, more: int) -> int:
        return 0

    def none() -> int:
        return 0

    problems = []
    for function in (other, untyped, two, none):
        with pytest.raises(Refused) as raised:
            app.on("timer/10ms")(function)
        problems.append((raised.value.code, raised.value.problem, raised.value.fix))
    assert [problem for _, problem, _ in problems] == [
        "on timer/10ms a program gets a TimerEvent; `ctx` is a GpioEvent",
        "`ctx` is no context; on timer/10ms a program gets a TimerEvent",
        "`two` has 2 parameters; a program has one, the context of its hook",
        "`none` has no parameter; a program has one, the context of its hook",
    ]
    assert problems[0][2] == "def other(ctx: hw.TimerEvent) -> int:"
    assert {code for code, _, _ in problems} == {"P004"}


def test_hooks_are_looked_at_where_they_are_named() -> None:
    app = hw.App("x")
    with pytest.raises(HookError, match=r"section 'gpoi/button': names no hook\n    fix    did you mean `gpio`\?"):
        app.on("gpoi/button")(test_hooks_are_looked_at_where_they_are_named)
    for wrong in ((), (lambda ctx: 0,)):
        with pytest.raises(SpecError, match=r"@app\.on: names no hook"):
            app.on(*wrong)  # type: ignore[arg-type]


def test_names_of_the_board() -> None:
    app = hw.App("x", board=BENCH)

    @app.on("timer/10ms")
    def typo(ctx: hw.TimerEvent) -> int:
        return hw.gpio_set("ledd", 1)

    with pytest.raises(Refused) as raised:
        app.specs()
    assert "has no output `ledd`; it has led, relay, servo" in raised.value.problem
    assert raised.value.fix == '"led"'


@pytest.mark.parametrize(
    ("helper", "name", "board", "problem", "fix"),
    [
        (hw.gpio_set, "servo", BENCH, "`servo` is a PWM channel, not a line", 'pwm_write("servo", percent)'),
        (hw.pwm_write, "led", BENCH, "`led` is a line, not a PWM channel", 'gpio_set("led", value)'),
        (hw.gpio_set, "led", None, "is a name on a board, but no board was chosen", "choose one: --board rpi5-bench"),
    ],
)
def test_a_name_means_what_the_helper_drives(
    helper: object, name: str, board: str | None, problem: str, fix: str
) -> None:
    app = hw.App("x", board=board)

    @app.on("timer/10ms")
    def program(ctx: hw.TimerEvent) -> int:
        return helper(name, 1)  # type: ignore[operator,no-any-return]

    with pytest.raises(Refused) as raised:
        app.specs()
    assert problem in raised.value.problem
    assert raised.value.fix.startswith(fix)


def test_maps_of_another_app_are_refused() -> None:
    mine, other = hw.App("mine"), hw.App("other")
    theirs = other.array("runs", hw.u64)

    @mine.on("timer/10ms")
    def count(ctx: hw.TimerEvent) -> int:
        theirs[0] += 1
        return 0

    with pytest.raises(Refused, match="the map runs belongs to another application"):
        mine.specs()


@pytest.mark.llvm
def test_a_program_is_proved_before_the_app_runs() -> None:
    app = hw.App("x")
    seen = app.hash("seen", hw.u32, Press)

    @app.on("timer/10ms")
    def forgetful(ctx: hw.TimerEvent) -> int:
        last = seen.get(ctx.count)
        return last.number  # type: ignore[union-attr]

    with pytest.raises(hw.Rejected) as raised, app.running(MOCK):
        pass
    first, line, caret, *_, fix = message(raised).splitlines()
    assert first.endswith("[V103] `last` may be None here")
    assert line.strip().startswith("return last.number")
    assert caret.index("^") == line.index("last.number")
    assert fix == "    fix    test it first: `if last is None: return 0`"


def test_helpers_belong_into_programs() -> None:
    with pytest.raises(SpecError) as raised:
        hw.gpio_set("led", 1)
    assert str(raised.value) == (
        "gpio_set(): is called outside of a program: only what runs on a hook has helpers\n"
        '    fix    call it in a function with @app.on("...")'
    )
    assert repr(hw.now_ns) == "<helper now_ns() -> 'u64'>"
    assert (hw.gpio_set.__doc__ or "").startswith("Drive an output to 0 or 1.")


def test_a_function_of_numbers_and_maps_can_be_called_in_a_test() -> None:
    app = hw.App("x")
    counts = app.hash("counts", hw.u32, hw.u64)
    presses = app.ringbuf("presses", Press)

    @app.on("gpio/button")
    def count(ctx: hw.GpioEvent) -> int:
        counts[ctx.line] += 1
        with presses.reserve(Press) as press:
            if press is None:
                return -1
            press.line = ctx.line
            if ctx.value == 0:
                presses.discard(press)
        return counts[ctx.line]

    event = hw.GpioEvent(timestamp_ns=1, chip_id=0, line=17, edge=1, value=1, seqno=1, lost=0)
    released = hw.GpioEvent(timestamp_ns=2, chip_id=0, line=17, edge=2, value=0, seqno=2, lost=0)
    assert (count(event), count(released)) == (1, 2)
    assert presses.consume() == [Press(17, 0)]


@pytest.mark.llvm
def test_updates_that_found_no_room_are_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    app = hw.App("x")
    counts = app.hash("counts", hw.u32, hw.u64, entries=3)

    @app.on("timer/10ms")
    def count(ctx: hw.TimerEvent) -> int:
        counts[ctx.count] += 1
        return 0

    app.main(argv=["--mock", "--for", "50ms"])
    assert dict(counts) == {1: 1, 2: 1, 3: 1}
    assert capsys.readouterr().err == (
        "map counts: 2 updates found no room in its 3 entries; delete what is old, or declare more\n"
    )
