"""The options of an application's command line."""

from __future__ import annotations

import pytest

from axiom_hw.backends.limits import GpioChoice
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.options import Options, parse_options


def test_without_options_the_app_runs_on_its_board_until_it_is_ended() -> None:
    assert parse_options("button", []) == Options()


def test_every_option() -> None:
    argv = ["--mock", "--real-time", "--board", "my.toml", "--for", "1.5s", "--trace"]
    assert parse_options("button", argv) == Options(
        mock=True, real_time=True, board="my.toml", duration_ns=1_500_000_000, trace=True
    )
    assert parse_options("button", ["--engine", "llvm", "--no-cache"]) == Options(engine=Engine.LLVM, cache=False)
    assert parse_options("button", ["--record", "a.axr"]) == Options(record="a.axr")
    assert parse_options("button", ["--replay", "a.axr", "--real-time"]) == Options(replay="a.axr", real_time=True)
    assert parse_options("button", ["--gpio", "lgpio"]) == Options(gpio=GpioChoice.LGPIO)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--for", "soon"],
            "argument --for: 'soon' is no duration; write a number and one of ns, us, ms, s, min, h, such as \"5ms\"",
        ),
        (["--for", "10"], "argument --for: '10' is no duration; write a number and one of ns, us, ms, s, min, h"),
        (["--real-time"], "--real-time goes with --mock or --replay: real devices always run in real time"),
        (["--engine", "jit"], "argument --engine: invalid choice: 'jit' (choose from"),
        (["--gpio", "RPi.GPIO"], "argument --gpio: invalid choice: 'RPi.GPIO' (choose from"),
        (["--mock", "--gpio", "lgpio"], "--gpio chooses among real devices: it doesn't go with --mock"),
        (["--replay", "a.axr", "--gpio", "lgpio"], "--gpio chooses among real devices: it doesn't go with --replay"),
        (["--replay", "a.axr", "--mock"], "--replay has devices of its own: it doesn't go with --mock"),
        (["--replay", "a.axr", "--record", "b.axr"], "--replay brings what is recorded already"),
        (["--moc"], "unrecognized arguments: --moc"),
    ],
)
def test_a_slip_prints_usage_and_exits_with_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options("button", argv)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("usage: button ")
    assert f"button: error: {message}" in told
