"""Writes the pages, and the parts of pages, that derive from the code's tables: `make docs` after changing a table.

docs/errors.md                         all of it: the verifier's codes
docs/programs-in-c-and-assembly.md     between <!-- NAME --> and <!-- /NAME -->: contexts, helpers, map types
docs/writing-programs.md               between such marks: what is refused
docs/boards.md                         between such marks: machines, overlays, a pinout, every key
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from axiom_hw.board import load_board
from axiom_hw.board.models import MODELS, overlay_for
from axiom_hw.board.reference import SECTIONS
from axiom_hw.bpf.frontend.syntax import CONSTANTS, REFUSED
from axiom_hw.bpf.helpers import TABLE as HELPERS
from axiom_hw.bpf.helpers import Arg, Helper
from axiom_hw.bpf.layout import Layout
from axiom_hw.bpf.verifier.codes import TABLE as CODES
from axiom_hw.cli.pinout import claims, header_of, text_of
from axiom_hw.events import HOOKS

DOCS = Path(__file__).parent
ERRORS = DOCS / "errors.md"
PROGRAMS = DOCS / "programs-in-c-and-assembly.md"
WRITING = DOCS / "writing-programs.md"
BOARDS = DOCS / "boards.md"

_GROUPS = {
    "V0": "The shape of the program",
    "V1": "Registers and values",
    "V2": "Memory",
    "V3": "Calls, and what they hand out",
    "V4": "Termination and cost",
    "V5": "What Python would raise",
}
# How a reader knows each kind of syntax that programs don't have.
_LOOKS = {
    ast.List: "[1, 2]", ast.ListComp: "[x for x in a]", ast.Set: "{1, 2}", ast.SetComp: "{x for x in a}",
    ast.Dict: "{1: 2}", ast.DictComp: "{x: 1 for x in a}",
    ast.GeneratorExp: "sum(x for x in a)", ast.Tuple: "p = (1, 2)",
    ast.Lambda: "lambda x: x", ast.JoinedStr: 'f"..."', ast.FormattedValue: 'f"..."', ast.Await: "await f()",
    ast.Yield: "yield x", ast.YieldFrom: "yield from f()", ast.Starred: "f(*a)",
    ast.Slice: "a[1:3]", ast.MatMult: "a @ b",
    ast.Try: "try: ...", ast.TryStar: "try: ...", ast.Raise: "raise ValueError", ast.Assert: "assert x",
    ast.Delete: "del x", ast.Global: "global x", ast.Nonlocal: "nonlocal x", ast.Import: "import x",
    ast.ImportFrom: "from x import y", ast.FunctionDef: "def f(): within a program",
    ast.AsyncFunctionDef: "async def f():",
    ast.ClassDef: "class X: within a program", ast.AsyncFor: "async for x in y:", ast.AsyncWith: "async with x:",
    float: "2.5", complex: "2j", str: '"text"', bytes: 'b"data"',
}  # fmt: skip
_ARGUMENT = {
    Arg.MAP: "map",
    Arg.MAP_KEY: "key",
    Arg.MAP_VALUE: "value",
    Arg.MEM_IN: "data",
    Arg.SIZE: "size",
    Arg.SIZE_OR_ZERO: "size",
    Arg.RECORD: "record",
    Arg.RECORD_SIZE: "size",
    Arg.SCALAR: "number",
    Arg.OPTIONAL: "[number]",
}


def errors_page() -> str:
    """docs/errors.md."""
    parts = [
        "# Why a program is refused\n\n"
        "The verifier accepts a program only if it can prove that no run of it can fault, leak an address, lose a\n"
        "ring record or fail to end. Where it can't, it says one of these codes, the place, what it knows there, and\n"
        "what to do. Codes are stable: a code never changes its meaning. `axiom-hw explain V103` prints a row,\n"
        "`axiom-hw explain` all of them.\n\n"
        "This page is made from `axiom_hw/bpf/verifier/codes.py` by `make docs`; change it there.\n"
    ]
    for prefix, title in _GROUPS.items():
        rows = [(f"**{c.id}**", c.title, c.why, c.fix) for c in CODES if c.id.startswith(prefix)]
        parts.append(f"\n## {title}\n\n{_table(('code', 'what', 'why', 'what usually helps'), rows)}")
    return "".join(parts)


def programs_page(text: str) -> str:
    """The page on programs, with its tables written anew; the prose stays."""
    for name, table in (("contexts", _contexts()), ("helpers", _helpers())):
        text, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda mark, t=table: mark[1] + t + mark[2], text, flags=re.S
        )
        assert found == 1, f"{PROGRAMS.name} has {found} places for the table `{name}`"
    return text


def writing_page(text: str) -> str:
    """The page on programs in Python, with the table of what is refused written anew."""
    rows: dict[tuple[str, str], list[str]] = {}
    for kind, why in {**REFUSED, **CONSTANTS}.items():
        looks = rows.setdefault(why, [])
        if _LOOKS[kind] not in looks:
            looks.append(_LOOKS[kind])
    found = [(", ".join(f"`{look}`" for look in looks), problem, fix) for (problem, fix), looks in rows.items()]
    table = _table(("not in a program", "because", "write"), found)
    text, count = re.subn(
        r"(<!-- refused -->\n).*?(<!-- /refused -->)", lambda mark: mark[1] + table + mark[2], text, flags=re.S
    )
    assert count == 1, f"{WRITING.name} has {count} places for the table `refused`"
    return text


def boards_page(text: str) -> str:
    """The page on boards, with what derives from the tables written anew."""
    board = load_board(DOCS.parent / "boards/rpi4-bench.toml")
    pinout = text_of(claims(board, header_of(board).label), {})
    parts = {
        "models": _models(), "pinout": f"```text\n{pinout}```\n", "overlays": _overlays(), "keys": _keys(),
    }  # fmt: skip
    for name, part in parts.items():
        text, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda mark, t=part: mark[1] + t + mark[2], text, flags=re.S
        )
        assert found == 1, f"{BOARDS.name} has {found} places for `{name}`"
    return text


def _models() -> str:
    rows = []
    for model in MODELS:
        uart = next((f"{uart.device}, `{uart.enable}`" for uart in model.uarts), "-")
        bus = next((f"/dev/i2c-{bus.number}, `{bus.enable}`" for bus in model.buses), "-")
        header = f"{model.chip}, {model.header.lines} lines" if model.header else "-"
        pwm = f"{model.pwm}, {model.pwm_chip.channels} channels" if model.pwm_chip else "-"
        rows.append((model.name, f"`{model.bench}`", header, pwm, uart, bus))
    heads = ("machine", "board", "header", "PWM", "serial port on GPIO14, 15", "I2C on GPIO2, 3")
    return _table(heads, rows)


def _overlays() -> str:
    rows = []
    for model in {model.pwm: model for model in MODELS if model.pwm_chip}.values():
        assert model.pwm_chip is not None
        for pin in model.pwm_chip.pins:
            rows.append((model.chip, f"GPIO{pin.line}", str(pin.channel), f"`{overlay_for((pin,))}`"))
    return _table(("header", "pin", "channel", "line of config.txt"), rows)


def _keys() -> str:
    parts = []
    for section in SECTIONS:
        rows = [(f"`{key.name}`", key.takes, key.default or "has to be given", key.meaning) for key in section.keys]
        title = f"`{section.header}`" if section.header else "Above all tables"
        parts.append(f"{title}: {section.meaning}\n\n{_table(('key', 'takes', 'without it', 'meaning'), rows)}")
    return "\n" + "\n".join(parts) + "\n"


def _contexts() -> str:
    rows = [(f"`{kind}/...`", f"`struct {layout.name}`", str(layout.size), _fields(layout))
            for kind, layout in HOOKS.items()]  # fmt: skip
    return _table(("hook", "context", "bytes", "fields: offset, type, name"), rows)


def _fields(layout: Layout) -> str:
    rows = ((f"{f.offset} {f.scalar.name}", f"{f.name}[{f.count}]" if f.count else f.name) for f in layout.fields)
    return "<br>".join(f"{what} `{name}`" for what, name in rows)


def _helpers() -> str:
    return _table(("id", "name", "what it does"), [(str(row.id), f"`{_call(row)}`", row.doc) for row in HELPERS])


def _call(row: Helper) -> str:
    return f"{row.name}({', '.join(_ARGUMENT[arg] for arg in row.args)})"


def _table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    ERRORS.write_text(errors_page())
    PROGRAMS.write_text(programs_page(PROGRAMS.read_text()))
    WRITING.write_text(writing_page(WRITING.read_text()))
    BOARDS.write_text(boards_page(BOARDS.read_text()))
