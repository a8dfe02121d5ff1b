"""JSON lines in, JSON lines out: how another process drives `verify` and `exec` without starting them anew.

One object a line, answered by one object a line, in order, flushed at once. Whatever a line holds, the answer is a
line too: `{"name": ..., "error": ...}` where it can't be understood.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Final, TypeVar

from axiom_hw.bpf.insn import decode
from axiom_hw.bpf.spec import CtxSpec, FieldKind, MapSpec, MapType, ProgramSpec, SpecialField
from axiom_hw.errors import AxiomError, SpecError

LINE_LIMIT_BYTES: Final = 20 << 20  # a program of a million slots, as hex, fits
REQUEST_SECONDS: Final = 20.0  # more than the verifier allows itself: its own refusal says more
_DEPTH_LIMIT: Final = 4  # of maps in maps
_MAPS_LIMIT: Final = 64  # of a program, as in Linux
_U32: Final = (1 << 32) - 1
_TYPE_PREFIX: Final = "BPF_MAP_TYPE_"

T = TypeVar("T")
Answer = Mapping[str, object]


class Fields:
    """One JSON object, read key by key. Each reader raises `SpecError` that names the key and what stands there."""

    def __init__(self, place: str, raw: Mapping[str, object]) -> None:
        self.place = place
        self._raw = raw

    def __contains__(self, key: str) -> bool:
        return self._raw.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        return self._get(key, str, "a string", default)

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        return self._get(key, bool, "true or false", default)

    def number(self, key: str, default: int | None = None, *, limit: int = _U32) -> int:
        """An integer from 0 to `limit`."""
        value = self._get(key, int, "an integer", default)
        if isinstance(value, bool) or not 0 <= value <= limit:
            raise SpecError(self.place, f"`{key}` is {_shown(value)}; it takes an integer from 0 to {limit}")
        return value

    def data(self, key: str, default: bytes | None = None) -> bytes:
        """Bytes, written as hex; blanks allowed."""
        if default is not None and key not in self:
            return default
        return parse_hex(self.text(key), f"{self.place}, `{key}`")

    def objects(self, key: str) -> list[Fields]:
        """A list of objects; none where the key is absent."""
        items: list[object] = self._get(key, list, "a list", [])
        return [Fields(f"{self.place}, {key}[{n}]", self._object(item, f"{key}[{n}]")) for n, item in enumerate(items)]

    def inside(self, key: str) -> Fields:
        """An object."""
        return Fields(f"{self.place}, {key}", self._object(self._raw.get(key), key))

    def _object(self, value: object, key: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise SpecError(self.place, f"`{key}` is {_shown(value)}; it takes an object")
        return value

    def _get(self, key: str, kind: type[T], meant: str, default: T | None) -> T:
        value = self._raw.get(key)
        if value is None:
            if default is None:
                raise SpecError(self.place, f"`{key}` is missing; it takes {meant}")
            return default
        if not isinstance(value, kind):
            raise SpecError(self.place, f"`{key}` is {_shown(value)}; it takes {meant}")
        return value


def parse_hex(text: str, place: str) -> bytes:
    """Bytes from pairs of hex digits with blanks between them. Raises `SpecError` naming the first wrong character."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        wrong = next((c for c in text if not c.isspace() and c not in "0123456789abcdefABCDEF"), None)
        problem = f"{wrong!r} is no hex digit" if wrong else "has half a byte: hex digits come in pairs"
        raise SpecError(place, problem) from None


def program_spec(fields: Fields, ctx: CtxSpec | None = None) -> ProgramSpec:
    """The program of a request: `insns`, `maps`, `ctx_size`. `ctx` overrules the last."""
    declared = fields.objects("maps")
    if len(declared) > _MAPS_LIMIT:
        raise SpecError(fields.place, f"has {len(declared)} maps; {_MAPS_LIMIT} is the limit")
    maps = tuple(map_spec(item, f"map{n}") for n, item in enumerate(declared))
    return ProgramSpec(
        name=fields.text("name", "program") or "program",
        insns=decode(fields.data("insns")),
        maps=maps,
        ctx=ctx or CtxSpec(fields.number("ctx_size", 0)),
    )


def map_spec(fields: Fields, name: str, depth: int = 1) -> MapSpec:
    """A map of a request: `type`, `key_size`, `value_size`, `max_entries` and what else a `MapSpec` has."""
    if depth > _DEPTH_LIMIT:
        raise SpecError(fields.place, f"maps nest more than {_DEPTH_LIMIT} deep")
    return MapSpec(
        name=fields.text("name", name),
        type=_map_type(fields),
        key_size=fields.number("key_size", 0),
        value_size=fields.number("value_size", 0),
        max_entries=fields.number("max_entries", 0),
        flags=fields.number("flags", 0),
        fields=tuple(_special_field(item) for item in fields.objects("fields")),
        inner=map_spec(fields.inside("inner"), f"{name}.inner", depth + 1) if "inner" in fields else None,
        data=fields.data("data_hex") if "data_hex" in fields else None,
        frozen=fields.flag("frozen"),
    )


def _map_type(fields: Fields) -> MapType:
    given = fields.text("type")
    name = given.upper().removeprefix(_TYPE_PREFIX)
    if name not in MapType.__members__:
        known = ", ".join(kind.name.lower() for kind in MapType)
        raise SpecError(fields.place, f"`type` is {_shown(given)}; the types are {known}")
    return MapType[name]


def _special_field(fields: Fields) -> SpecialField:
    given = fields.text("kind")
    if given.upper() not in FieldKind.__members__:
        known = ", ".join(kind.name.lower() for kind in FieldKind)
        raise SpecError(fields.place, f"`kind` is {_shown(given)}; the kinds are {known}")
    return SpecialField(FieldKind[given.upper()], fields.number("offset"))


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def opened(file: str, stack: ExitStack) -> IO[bytes]:
    """A file to read, until `stack` closes; `-` is standard input. Raises `SpecError` where it can't be read."""
    if file == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(file).open("rb"))
    except OSError as error:
        raise SpecError(file, f"can't be read: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of input: its number from 1, and its bytes, or None where it is longer than the limit."""

    number: int
    data: bytes | None


def lines(stream: IO[bytes], limit: int = LINE_LIMIT_BYTES) -> Iterator[Line]:
    """The lines of a stream that aren't blank, as they come; never more than `limit` bytes in memory."""
    number = 0
    while data := stream.readline(limit + 1):
        number += 1
        if len(data) > limit and not data.endswith(b"\n"):
            while data and not data.endswith(b"\n"):
                data = stream.readline(limit + 1)
            yield Line(number, None)
        elif not data.isspace():
            yield Line(number, data)


def parse_line(line: Line) -> Fields:
    """The object in a line. Raises `SpecError`."""
    place = f"line {line.number}"
    if line.data is None:
        raise SpecError(place, f"is longer than {LINE_LIMIT_BYTES} bytes")
    try:
        raw = json.loads(line.data.rstrip())  # else errors at the end name a second line
    except RecursionError:
        raise SpecError(place, "nests too deep") from None
    except ValueError as error:  # of json, of UTF-8, and of numbers with too many digits
        raise SpecError(place, f"is no JSON: {error}") from None
    if not isinstance(raw, dict):
        raise SpecError(place, f"is {_shown(raw)}; each line holds one object")
    return Fields(place, raw)


class TimeUp(AxiomError, TimeoutError):
    """A request that took longer than all requests may."""


@contextmanager
def time_limit(seconds: float, place: str) -> Iterator[None]:
    """Raise `TimeUp` in what runs inside once `seconds` have passed. Does nothing outside the main thread."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeUp(place, f"took longer than {seconds:g} s, the limit of one request")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)  # again: what a callback of gc raises is swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class InternalError(AxiomError, RuntimeError):
    """A request that met a bug of ours."""


class TooLarge(AxiomError, MemoryError):
    """A request that this machine has no room for."""


def error_answer(error: AxiomError) -> Answer:
    """The answer to a request that failed, where the protocol has no verdicts."""
    return {"error": str(error)}


def answer_lines(
    stream: IO[bytes],
    out: IO[str],
    handle: Callable[[Fields], Answer],
    seconds: float = REQUEST_SECONDS,
    failed: Callable[[AxiomError], Answer] = error_answer,
) -> None:
    """Answer each line by what `handle` makes of it; the request's name goes first, errors are answers.

    `handle` may raise any `AxiomError`, and is interrupted by one after `seconds`; `failed` makes an answer of it.
    """
    for line in lines(stream):
        name: str | None = None
        try:
            fields = parse_line(line)
            name = fields.text("name", "") or None
            with time_limit(seconds, fields.place):
                answer = handle(fields)
        except AxiomError as error:
            answer = failed(error)
        except (MemoryError, RecursionError, OSError) as error:  # the edge: one request mustn't end the others
            answer = failed(TooLarge(f"line {line.number}", f"too large for this machine ({type(error).__name__})"))
        except Exception as error:  # noqa: BLE001 - a bug of ours mustn't end the process that a client drives
            traceback.print_exc(file=sys.stderr)
            answer = failed(InternalError(f"line {line.number}", f"a bug in axiom-hw: {type(error).__name__}: {error}"))
        write_line(out, {"name": name, **answer})


def write_line(out: IO[str], answer: Answer) -> None:
    """One object, one line, at once."""
    out.write(json.dumps(answer) + "\n")
    out.flush()
