"""Programs written in Python, from the function to its spec: which names mean what on a board, which maps are whose.

The compiler knows no hardware. Here it is told what a board's names are, and that a map must be the application's own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from axiom_hw.board import Board, OutputLine, PwmChannel
from axiom_hw.bpf.frontend.refusal import Refused, Span
from axiom_hw.bpf.frontend.signatures import meaning
from axiom_hw.bpf.frontend.source import Source, read_source
from axiom_hw.bpf.layout import Layout
from axiom_hw.bpf.maps import ArrayView, HashView, Map, RingReader
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.errors import BoardError
from axiom_hw.events import ctx_of
from axiom_hw.sensor_sections import channel_numbers

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering
    from axiom_hw.bpf.frontend.values import Value

_UNKNOWN_NAME = "P003"  # also a type that is unknown
_CHANNELS = {  # kinds of PWM channels that helpers take by name, and the call for each
    "motor": 'motor_set("{name}", permille)',
    "servo": 'servo_set("{name}", millidegrees)',
    "PWM channel": 'pwm_write("{name}", percent)',
}
_HEADER_CHIP = 0  # what gpio_set and gpio_get mean: the first chip of a board


@dataclass(frozen=True, slots=True)
class Written:
    """A function with the hooks that it runs on, as `@app.on` found it. To be compiled where the board is known."""

    function: Callable[..., Any]
    hooks: tuple[str, ...]
    priority: int = 0
    drives: Collection[str] | None = None

    @property
    def place(self) -> str:
        """Its file and the line where it begins."""
        code = self.function.__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    def specs(self, board: Board | None, maps: Callable[[], Collection[Map]]) -> tuple[ProgramSpec, ...]:
        """A spec for each hook. Raises `Refused` for what isn't a program, with the line and what to write instead.

        `maps` gives the application's maps.
        """
        from axiom_hw.bpf.frontend.user import compile_program  # here: it takes a while to load

        spec = compile_program(
            self.function, self.hooks[0], ctx_of, board=lambda kind, name: numbers_of(board, kind, name),
            resolvers=(lambda low, found: _foreign(low, found, maps()),),
        )  # fmt: skip
        return tuple(replace(spec, section=hook, ctx=ctx_of(hook)) for hook in self.hooks)


def written(
    function: Callable[..., Any], hooks: tuple[str, ...], priority: int, drives: Collection[str] | None = None
) -> Written:
    """Look at a function as far as that is possible without a board.

    Raises `HookError` for a section that is no hook, `Refused` for a context of another hook, and for what is in no
    program; but for a name that isn't defined yet only later, because it may still come.
    """
    for hook in hooks:
        layout = ctx_of(hook).layout
        assert layout is not None
        _check_ctx(function, hook, layout)
    _check_text(function, hooks[0])
    return Written(function, hooks, priority, drives)


def _check_text(function: Callable[..., Any], hook: str) -> None:
    from axiom_hw.bpf.frontend.user import lower_program

    try:
        lower_program(function, hook, board=_any_board)
    except Refused as error:
        if error.code != _UNKNOWN_NAME:
            raise


def _any_board(kind: str, name: str) -> tuple[int, ...]:
    return (0, 0) if kind in (*_CHANNELS, "sensor channel") else (0,)


def _check_ctx(function: Callable[..., Any], hook: str, layout: Layout) -> None:
    source = read_source(function)
    write = f"def {source.name}(ctx: hw.{layout.name}) -> int:"
    parameters = source.node.args.args
    if len(parameters) != 1:
        at = parameters[1] if len(parameters) > 1 else source.node
        count = f"{len(parameters)} parameters" if parameters else "no parameter"
        raise _refused(source, at, f"`{source.name}` has {count}; a program has one, the context of its hook", write)
    (ctx,) = parameters
    given = _layout_of(source, ctx)
    if given is None:
        raise _refused(source, ctx, f"`{ctx.arg}` is no context; on {hook} a program gets {_a(layout.name)}", write)
    if given is not layout:
        problem = f"on {hook} a program gets {_a(layout.name)}; `{ctx.arg}` is {_a(given.name)}"
        raise _refused(source, ctx, problem, write)


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def _layout_of(source: Source, parameter: ast.arg) -> Layout | None:
    if parameter.annotation is None:
        return None
    try:
        found = meaning(source, parameter.annotation)
    except Exception as error:  # noqa: BLE001  # an annotation is any expression, and may raise anything
        raise _refused(
            source, parameter.annotation, f"this type can't be looked up: {error}", "ctx: hw.GpioEvent"
        ) from None
    layout = getattr(found, "LAYOUT", None)
    return layout if isinstance(layout, Layout) else None


def _refused(source: Source, at: ast.AST, problem: str, write: str) -> Refused:
    return Refused("P004", Span.of(at, source.file, source.lines), problem, write)


def numbers_of(board: Board | None, kind: str, name: str) -> tuple[int, ...]:
    """What a name on the board stands for in the registers of a helper. Raises `BoardError`."""
    if board is None:
        raise BoardError(
            f'"{name}"', "is a name on a board, but no board was chosen",
            'choose one: --board rpi5-bench, or App(..., board="rpi5-bench"); `axiom-hw boards` lists them',
        )  # fmt: skip
    if kind == "sensor channel":
        return channel_numbers(board, name)
    if kind == "line":
        line = board.line(name)
    else:
        output = board.output(name)
        if isinstance(output, PwmChannel):
            found = "servo" if output.servo is not None else "motor" if output.motor is not None else "PWM channel"
            if kind in ("PWM channel", found):
                return output.chip_id, output.channel
            wanted = "line" if kind == "output line" else kind
            raise BoardError(board.source, f"`{name}` is a {found}, not a {wanted}", _CHANNELS[found].format(name=name))
        if kind in _CHANNELS:
            raise BoardError(board.source, f"`{name}` is a line, not a {kind}", f'gpio_set("{name}", value)')
        line = output
    if line.chip_id != _HEADER_CHIP:
        chip = board.chips[line.chip_id].name
        raise BoardError(
            board.source, f"`{name}` is on the chip {chip}; programs reach those of {board.chips[_HEADER_CHIP].name}",
            "wire it to the header" if isinstance(line, OutputLine) else "read it where its edges come: ctx.value",
        )  # fmt: skip
    return (line.line,)


def _foreign(low: Lowering, found: object, own: Collection[Map]) -> Value | None:
    """A resolver that refuses maps of another application: its programs and this one's would share nothing."""
    if isinstance(found, ArrayView | HashView | RingReader) and not any(found.map is one for one in own):
        raise low.refuse(
            low.here, f"the map {found.map.spec.name} belongs to another application", "declare it with this one"
        )
    return None
