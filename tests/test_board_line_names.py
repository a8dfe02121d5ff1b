"""Lines of a board file by name."""

from __future__ import annotations

import pytest

from axiom_hw.bench import MockBench
from axiom_hw.board import Board, parse_board
from axiom_hw.errors import BoardError

HEADER = '[chip.header]\nlabel = "pinctrl-rp1"\n'
EXPANDER = '[chip.expander]\nlabel = "pcf8574"\nlines = 8\n'


def board(text: str) -> Board:
    return parse_board(text, "x", "boards/x.toml")


def refused(text: str) -> str:
    with pytest.raises(BoardError) as caught:
        board(text)
    return str(caught.value)


def test_a_line_of_the_header_by_its_name() -> None:
    found = board(HEADER + '[input.button]\nline = "GPIO17"\n[output.led]\nline = "ID_SDA"\nsafe = "low"\n')
    assert (found.input("button").line, found.line("led").line) == (17, 0)
    bench = MockBench(found)
    bench.press("button")
    assert bench.gpio.open("pinctrl-rp1").level(17) == 1


def test_a_line_of_another_chip_by_the_name_that_its_table_gives() -> None:
    names = 'line_names = ["door", "", "bell"]\n'
    found = board(EXPANDER + names + '[input.front]\nline = "bell"\n')
    assert found.input("front").line == 2
    assert found.chips[0].line_names == ("door", "", "bell")


def test_a_line_has_one_purpose_by_whatever_name() -> None:
    assert refused(HEADER + '[input.a]\nline = "GPIO17"\n[input.b]\nline = 17\n') == (
        "boards/x.toml:5 [input.b]: GPIO17 of pinctrl-rp1 is taken by input `a`, boards/x.toml:3\n"
        "    fix    a pin has one purpose: move one of them"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADER + '[input.b]\nline = "GPIO71"\n',
            'boards/x.toml:4 [input.b]: `line` is "GPIO71", which no line of pinctrl-rp1 is called\n'
            '    fix    did you mean "GPIO7"?',
        ),
        (
            HEADER + '[input.b]\nline = "17"\n',
            'boards/x.toml:4 [input.b]: `line` is "17", which no line of pinctrl-rp1 is called\n'
            "    fix    write line = 17",
        ),
        (
            EXPANDER + '[input.b]\nline = "bell"\n',
            'boards/x.toml:5 [input.b]: `line` is "bell", which no line of pcf8574 is called\n'
            "    fix    give its number, or name the lines of the chip: [chip.expander] line_names = [...]",
        ),
        (
            EXPANDER + 'line_names = ["a", "a"]\n',
            'boards/x.toml:4 [chip.expander]: `line_names` has "a" twice\n    fix    a name is for one line',
        ),
        (
            EXPANDER + f"line_names = {list('abcdefghi')}\n",
            "boards/x.toml:4 [chip.expander]: `line_names` has 9 names for 8 lines",
        ),
        (
            EXPANDER + 'line_names = "a"\n',
            "boards/x.toml:4 [chip.expander]: `line_names` takes a list of names\n"
            '    fix    write line_names = ["door", "", "bell"]',
        ),
    ],
)
def test_a_slip_is_told(text: str, message: str) -> None:
    assert refused(text) == message
