"""What tests of the library share: maps outside of an application, and runs of programs written in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from axiom_hw.bpf.frontend.user import compile_program
from axiom_hw.bpf.layout import Struct, u32
from axiom_hw.bpf.maps import ArrayView, HashView, Map, RingBuf, RingReader, create_map
from axiom_hw.bpf.maps.codec import codec_of
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.errors import SpecError
from tests.bpf.engines import load

Program = Callable[..., int]
# What the names on a stand-in for a board mean, by what is wanted.
BOARD = {("output line", "led"): (18,), ("line", "button"): (17,), ("PWM channel", "servo"): (0, 2)}


class Env:
    """Time that is scripted, and hardware that answers with the sum of what it is asked."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.asked: list[tuple[int, ...]] = []
        self.hardware = {number: self._asker(number) for number in (1000, 1003, 1004, 1005)}

    def _asker(self, number: int) -> Callable[..., int]:
        def ask(*arguments: int) -> int:
            self.asked.append((number, *arguments))
            return sum(arguments)

        return ask

    def now_ns(self) -> int:
        return 1_000_000_007

    def random_u32(self) -> int:
        return 0xFFFFFFFE

    def trace(self, text: str) -> None:
        self.lines.append(text)


def array(name: str, value: object, entries: int = 1) -> ArrayView[Any]:
    made = create_map(MapSpec(name, MapType.ARRAY, 4, _size(value), entries))
    return ArrayView(made, value)  # type: ignore[arg-type]


def hashed(name: str, value: object, key: object = u32, entries: int = 4) -> HashView[Any, Any]:
    made = create_map(MapSpec(name, MapType.HASH, _size(key), _size(value), entries))
    return HashView(made, key, value)  # type: ignore[arg-type]


def ring(name: str, record: object = None, size: int = 4096) -> RingReader[Any]:
    made = create_map(MapSpec(name, MapType.RINGBUF, 0, 0, size))
    assert isinstance(made, RingBuf)
    return RingReader(made, record)


def compiled(function: Program, ctx: type[Any]) -> ProgramSpec:
    return compile_program(
        function,
        "test",
        lambda _: CtxSpec(ctx.LAYOUT.size, layout=ctx.LAYOUT),
        board=lambda kind, name: _on_board(kind, name),
    )


def run(engine: str, function: Program, *ctxs: Struct, env: Env | None = None) -> list[int]:
    """The results of a program on each context, as s64. Its maps are those that it names."""
    verified = verify(compiled(function, type(ctxs[0])))
    maps = tuple(_live(function, spec) for spec in verified.spec.maps)
    loaded = load(engine, verified, maps, env or Env())
    results = [loaded.run(ctx.pack()) for ctx in ctxs]
    return [r - (1 << 64) if r >> 63 else r for r in results]


def _live(function: Program, spec: MapSpec) -> Map:
    if spec.name.startswith("."):
        return create_map(spec)
    names = function.__globals__.values()
    views = [v for v in names if isinstance(v, ArrayView | HashView | RingReader) and v.map.spec.name == spec.name]
    (view,) = views
    assert (view.map.spec.key_size, view.map.spec.value_size) == (spec.key_size, spec.value_size)
    assert view.map.spec.max_entries == spec.max_entries
    return view.map


def _size(kind: object) -> int:
    size = codec_of(kind, None, "a test").size
    assert size is not None
    return size


def _on_board(kind: str, name: str) -> tuple[int, ...]:
    if (kind, name) not in BOARD:
        raise SpecError("the board", f"has no {kind} `{name}`")
    return BOARD[kind, name]
