"""A recorded scenario for the programs of one object: contexts, map entries and time, a JSON line each.

`{"program", "ctx"}` runs a program and answers with its r0; with `"repeat": N` it runs N times more, in batches where
the engine has them, and the answer tells the ns that each took; `{"set": {"map", "key", "value"}}` sets an entry;
`{"advance_ns"}` moves the virtual clock. At the end come all maps and rings.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import IO

from axiom_hw.bpf.maps import Map, Mem, RingBuf, create_map
from axiom_hw.bpf.spec import CtxSpec, ObjectSpec
from axiom_hw.bpf.verifier import Rejected, verify
from axiom_hw.cli.batch import Answer, Fields, lines, parse_line, write_line
from axiom_hw.cli.exec_env import Batched, BenchEnv, Loader, Runnable
from axiom_hw.errors import AxiomError, MapError, SpecError

_NS_LIMIT = (1 << 63) - 1
_REPEAT_LIMIT = 1 << 30
_BATCH = 4096  # contexts handed to native code at once


class Scenario:
    """The programs of one object over one set of maps, in virtual time that starts at 0."""

    def __init__(
        self, declared: ObjectSpec, trace: Callable[[str], None], loader: Loader | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:  # fmt: skip
        self._object = declared
        self._monotonic_ns = monotonic_ns
        self._loader = loader or Loader()
        self._env = BenchEnv(trace)
        self._maps: dict[str, Map] = {spec.name: create_map(spec) for spec in declared.maps}
        self._loaded: dict[tuple[str, int], Runnable] = {}

    def play(self, stream: IO[bytes], out: IO[str]) -> None:
        """Carry out each line, answer it where it has an answer, then write the state.

        A line that can't be carried out is answered with an error. Raises `Rejected` for a program that the verifier
        refuses: then nothing that the object does can be relied on.
        """
        for line in lines(stream):
            try:
                answer = self._carry_out(parse_line(line))
            except Rejected:
                raise
            except AxiomError as error:
                answer = {"error": str(error)}
            if answer is not None:
                write_line(out, answer)
        write_line(out, self.state())

    def state(self) -> Answer:
        """What is in the maps, without entries that are all zero, and in the rings, which are empty afterwards."""
        tables = {
            name: {key.hex(): value.hex() for key, value in live.entries() if any(value)}
            for name, live in self._maps.items()
            if not isinstance(live, RingBuf)
        }
        rings = {name: _drain(live) for name, live in self._maps.items() if isinstance(live, RingBuf)}
        return {"maps": tables, "rings": rings}

    def _carry_out(self, fields: Fields) -> Answer | None:
        if "program" in fields:
            name, ctx = fields.text("program"), fields.data("ctx", b"")
            program = self._program(name, len(ctx))
            times = fields.number("repeat", 0, limit=_REPEAT_LIMIT)
            try:
                answer: Answer = {"program": name, "r0": program.run(ctx)}
                if not times:
                    return answer
                begin = self._monotonic_ns()
                _repeat(program, ctx, times)
                return {**answer, "ns_each": round((self._monotonic_ns() - begin) / times, 1)}
            except AxiomError as error:
                return {"program": name, "error": str(error)}
        if "set" in fields:
            self._set(fields.inside("set"))
        elif "advance_ns" in fields:
            self._env.clock.advance(fields.number("advance_ns", limit=_NS_LIMIT))
        else:
            raise SpecError(fields.place, "has none of `program`, `set` and `advance_ns`")
        return None

    def _program(self, name: str, ctx_bytes: int) -> Runnable:
        known = self._loaded.get((name, ctx_bytes))
        if known is None:
            spec = replace(self._object.program_named(name), ctx=CtxSpec(ctx_bytes))
            maps = [self._maps[declared.name] for declared in spec.maps]
            known = self._loaded[name, ctx_bytes] = self._loader.load(verify(spec), maps, self._env)
        return known

    def _set(self, fields: Fields) -> None:
        name = fields.text("map")
        live = self._maps.get(name)
        if live is None:
            names = ", ".join(self._maps) or "none"
            raise MapError(fields.place, f"there is no map {name!r}; the object's maps: {names}")
        if "program" in fields:
            raise MapError(fields.place, f"{name} is no prog_array; its entries are values")
        if isinstance(live, RingBuf):
            raise MapError(fields.place, f"{name} is a ring; its records come from programs")
        key, value = fields.data("key"), fields.data("value")
        for what, data, size in (("key", key, live.spec.key_size), ("value", value, live.spec.value_size)):
            if len(data) != size:
                raise MapError(fields.place, f"`{what}` has {len(data)} bytes; {name} takes {size}")
        result = live.update(Mem(key), 0, Mem(value), 0, 0)
        if result < 0:
            reason = "E2BIG, no such key or no room" if result == -errno.E2BIG else os.strerror(-result)
            raise MapError(fields.place, f"{name} refuses the entry: {reason}")


def _repeat(program: Runnable, ctx: bytes, times: int) -> None:
    """Run it on the same context again and again: by itself, or in batches, which need no Python in between."""
    if not isinstance(program, Batched) or not ctx:
        for _ in range(times):
            program.run(ctx)
        return
    full, rest = divmod(times, _BATCH)
    contexts = ctx * _BATCH
    for _ in range(full):
        program.run_batch(contexts)
    program.run_batch(ctx * rest)


def _drain(ring: RingBuf) -> list[str]:
    records = []
    while (record := ring.consume()) is not None:
        records.append(record.hex())
    return records
