"""Quick code becomes optimised code while its program runs: nothing is lost, nothing changes, nothing stays behind."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm import native as native_module
from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.engine.llvm.code import Code, CompileError
from axiom_hw.bpf.engine.llvm.native import Native, Recipe
from axiom_hw.bpf.maps import ArrayMap, Map, RingBuf, create_map
from axiom_hw.bpf.maps.mem import load_u64
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType
from axiom_hw.clock import VirtualClock
from axiom_hw.engines import Loaded, Loader
from axiom_hw.errors import AxiomError
from axiom_hw.events import Edge
from axiom_hw.pump.native import compiled_loop
from axiom_hw.runtime import Runtime
from tests.bpf.engine.llvm.twins import proved
from tests.bpf.engine.rigs import ScriptedEnv
from tests.programs import COUNT, Ready, ready
from tests.pump_bench import LINES, PumpBench, key, pack, stream, until

CTX = CtxSpec(8)
SUMS = MapSpec("sums", MapType.ARRAY, 4, 8, 1)
SUM = """
    r2 = *(u64 *)(r1 + 0)
    r1 = map[0][0]+0 ll
    lock *(u64 *)(r1 + 0) += r2
    r0 = r2
    exit
"""
RECORDS = MapSpec("records", MapType.RINGBUF, 0, 0, 4096)
# Holds a record while it asks.
ASK = """
    r1 = records ll
    r2 = 8
    r3 = 0
    call 131
    if r0 == 0 goto out
    r6 = r0
    call 7
    *(u64 *)(r6 + 0) = r0
    r1 = r6
    r2 = 0
    call 132
out:
    r0 = 0
    exit
"""
ANSWER = "r0 = 42\nexit"


def sums() -> tuple[ArrayMap, Callable[[], int]]:
    table = create_map(SUMS)
    assert isinstance(table, ArrayMap)
    return table, lambda: load_u64(table.mem, table.values.origin)


def cell(n: int) -> bytes:
    return n.to_bytes(8, "little")


class Boom(Exception):
    """What a helper raises."""


class Waits(ScriptedEnv):
    """Its randomness stops until somebody lets it go on, then raises or not."""

    def __init__(self, raises: bool = False) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()
        self.raises = raises

    def random_u32(self) -> int:
        self.asked.set()
        assert self.answer.wait(20)
        if self.raises:
            raise Boom("no numbers")
        return 4


class TestNative:
    def test_the_same_builtins_run_other_code(self) -> None:
        table, total = sums()
        made = Native(proved(SUM, SUMS, ctx=CTX), [table], ScriptedEnv(), quick=True)
        run, batch = made.run, made.run_batch
        before = made.program_address, made.batch_address
        assert (made.is_quick, run(cell(3)), batch(cell(4) * 2)) == (True, 3, 2)
        made.improve()
        assert (made.is_quick, run(cell(5)), batch(cell(6) * 2)) == (False, 5, 2)
        assert made.run is run
        assert not {*before} & {made.program_address, made.batch_address}
        assert total() == 3 + 8 + 5 + 12
        now = made.program_address
        made.improve()
        assert made.program_address == now, "there is nothing to improve any more"

    def test_arguments_that_arent_as_usual_run_the_new_code_too(self) -> None:
        table, total = sums()
        made = Native(proved(SUM, SUMS, ctx=CTX), [table], ScriptedEnv(), quick=True)
        for _ in range(2):
            assert made.run(bytearray(cell(7))) == 7
            assert made.run_batch(memoryview(b"\0" + cell(1) * 2)[1:]) == 2
            made.improve()
        assert total() == 2 * 9

    def test_threads_run_events_and_batches_all_the_while(self) -> None:
        """A slot each; the sum of all that was run is what the map says, for each of many programs that improve."""
        program = proved(SUM, SUMS, ctx=CTX)
        tables = [sums() for _ in range(12)]
        made = [Native(program, [table], ScriptedEnv(), slots=2, quick=True) for table, _ in tables]
        given = [0] * len(made)

        def events() -> int:
            for n, one in enumerate(made):
                for at in range(200):
                    assert one.run(cell(at), 0) == at
                    given[n] += at
            return 200

        batched = [0] * len(made)

        def batches() -> int:
            data = b"".join(map(cell, range(50)))
            for n, one in enumerate(made):
                assert one.run_batch(data, 1) == 50
                batched[n] += sum(range(50))
            return 50

        with repeated(events) as rounds, repeated(batches) as more:
            for one in made:
                one.improve()
        assert not any(one.is_quick for one in made)
        assert rounds[0]
        assert more[0]
        assert [total() for _, total in tables] == [a + b for a, b in zip(given, batched, strict=True)]

    def test_a_batch_ends_in_the_code_that_it_began_in(self) -> None:
        ring, env = ring_of(), Waits()
        made = Native(proved(ASK, RECORDS, ctx=CTX), [ring], env, quick=True)
        done: list[int] = []
        thread = threading.Thread(target=lambda: done.append(made.run_batch(bytes(8 * 20))))
        thread.start()
        assert env.asked.wait(20)
        made.improve()
        others = [Native(proved(ANSWER), [], ScriptedEnv()) for _ in range(20)]  # whatever is free is used again
        env.answer.set()
        thread.join(20)
        assert (done, made.run_batch(bytes(8 * 20))) == ([20], 20)
        assert [ring.consume() for _ in range(41)] == [*[cell(4)] * 40, None]
        assert all(other.run() == 42 for other in others)

    @pytest.mark.parametrize("batch", [False, True])
    def test_a_fault_in_the_code_before_is_told_as_any(self, batch: bool) -> None:
        ring, env, seen = ring_of(), Waits(raises=True), list[BaseException]()
        made = Native(proved(ASK, RECORDS, ctx=CTX), [ring], env, quick=True)

        def run() -> None:
            try:
                (made.run_batch if batch else made.run)(bytes(8))
            except Boom as error:
                seen.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert env.asked.wait(20)
        made.improve()
        env.answer.set()
        thread.join(20)
        assert [str(error) for error in seen] == ["no numbers"]
        assert made.begun() == 1
        env.raises = False
        made.run(bytes(8))
        assert [ring.consume(), ring.consume()] == [cell(4), None], "the record that was held is discarded"

    def test_nothing_is_left_of_it(self) -> None:
        env = ScriptedEnv()
        made = Native(proved("call 7\nexit"), [], env, quick=True)
        made.run()
        made.improve()
        made.run()
        gone, run = weakref.ref(env), made.run
        gc.disable()
        try:
            del env, made, run
            assert gone() is None  # at once: nothing is a circle that waits for the collector
        finally:
            gc.enable()

    def test_only_optimised_code_is_kept_on_disk(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path / "axiom_hw")
        Native(proved("r0 = 1\nexit"), [], ScriptedEnv(), cache=cache)  # the entries are kept as well
        before = cache.size_bytes()
        made = Native(proved(ANSWER), [], ScriptedEnv(), cache=cache, quick=True)
        assert (made.is_quick, cache.size_bytes()) == (True, before)
        made.improve()
        assert cache.size_bytes() > before
        again = Native(proved(ANSWER), [], ScriptedEnv(), cache=cache, quick=True)
        assert (again.is_quick, again.run()) == (False, 42)

    def test_a_program_with_large_frames_is_optimised_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(native_module, "_QUICK_INSNS", 2)
        assert Native(proved(ANSWER), [], ScriptedEnv(), quick=True).is_quick
        assert not Native(proved(f"r1 = 1\n{ANSWER}"), [], ScriptedEnv(), quick=True).is_quick

    def test_code_that_cant_be_improved_stays_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = Native(proved(ANSWER), [], ScriptedEnv(), quick=True)
        monkeypatch.setattr(Recipe, "make", refuses)
        with pytest.raises(CompileError, match="because"):
            made.improve()
        assert (made.is_quick, made.run()) == (True, 42)


class Steps:
    """What is compiled, in order; optimised code only when the gate is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.order: list[tuple[str, str]] = []
        make, make_quick = Recipe.make, Recipe.make_quick

        def held(recipe: Recipe) -> Code:
            self.order.append(("optimised", recipe.program.spec.name))
            assert self.opened.wait(20)
            return make(recipe)

        def noted(recipe: Recipe) -> Code:
            self.order.append(("quick", recipe.program.spec.name))
            return make_quick(recipe)

        monkeypatch.setattr(Recipe, "make", held)
        monkeypatch.setattr(Recipe, "make_quick", noted)
        monkeypatch.setattr("axiom_hw.engines._IMPROVE_AFTER_S", 0.0)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def counter(name: str = "count") -> Ready:
    return ready(COUNT, "timer/1s", name)


def runtime(engine: Engine, told: Callable[[AxiomError], None] | None = None) -> Runtime:
    return Runtime(None, VirtualClock(), None, engine=engine, on_engine=told)


class TestLoader:
    def test_llvm_starts_on_quick_code_and_improves_it(self, steps: Steps) -> None:
        one = counter()
        with runtime(Engine.LLVM) as run:
            link = run.attach(one.verified, one.maps, "timer/1s")
            program = link.program
            assert isinstance(program, Loaded)
            assert program.native is not None
            assert program.native.is_quick
            before = program.entry(0)
            run.executor.fire(link.keys[0], bytes(16))
            snapshot = run.registry.snapshot
            steps.opened.set()
            assert run.loader.settle(20)
            assert not program.native.is_quick
            assert program.entry(0) != before
            assert run.registry.snapshot is not snapshot, "pumps look for the addresses again"
            run.executor.fire(link.keys[0], bytes(16))
            assert (one.numbers()[0], link.runs) == (2, 2)

    def test_auto_makes_all_quick_before_it_optimises_any(self, steps: Steps) -> None:
        names = ["a", "b", "c"]
        with runtime(Engine.AUTO) as run:
            steps.opened.set()
            with run.loader._turn:  # so that the thread finds all three
                links = [run.attach(one.verified, one.maps, "timer/1s") for one in map(counter, names)]
            assert run.loader.settle(20)
            assert all(link.program.native.is_quick is False for link in links)  # type: ignore[attr-defined]
        assert steps.order == [("quick", name) for name in names] + [("optimised", name) for name in names]

    def test_what_nobody_holds_any_more_isnt_improved(self, steps: Steps) -> None:
        old, new = counter("old"), counter("new")
        with runtime(Engine.LLVM) as run:
            steps.opened.set()
            with run.loader._turn:
                link = run.attach(old.verified, old.maps, "timer/1s")
                link.replace(run.load(new.verified, new.maps))
            assert run.loader.settle(20)
        assert steps.order == [("quick", "old"), ("quick", "new"), ("optimised", "new")]

    def test_code_is_improved_a_while_after_the_last_one_asked_for(self) -> None:
        """Without anybody who settles. Meanwhile others are loaded without waiting."""
        one = counter()
        with runtime(Engine.LLVM) as run:
            program = run.load(one.verified, one.maps)
            assert isinstance(program, Loaded)
            until(lambda: program.native is not None and not program.native.is_quick)

    def test_a_failure_is_told_and_quick_code_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Recipe, "make", refuses)
        one, told = counter(), list[AxiomError]()
        with runtime(Engine.LLVM, told.append) as run:
            link = run.attach(one.verified, one.maps, "timer/1s")
            assert run.loader.settle(20)
            run.executor.fire(link.keys[0], bytes(16))
            assert one.numbers()[0] == 1
        assert [str(error) for error in told] == ["count: can't be optimised: because"]

    def test_a_pump_runs_all_the_while(self) -> None:
        """Programs are loaded, improved and replaced while records come; each record is counted once."""
        errors: list[AxiomError] = []
        tables: list[tuple[Map, ...]] = []
        with PumpBench(compiled_loop()) as bench:
            loader = Loader(Engine.LLVM, len(bench.registry.slots), None, bench.registry.retarget, errors.append)

            def load(n: int) -> Loaded:
                one = ready(COUNT, "gpio/x", f"p{n}")
                tables.append(one.maps)
                return loader.load(one.verified, one.maps, ScriptedEnv())

            sent = stream(bench.wire, 60_000, 1, dropped=(0,))
            mine = [event for event in sent if event.offset in LINES]
            rows = [b"".join(map(pack, sent[at : at + 100])) for at in range(0, len(sent), 100)]

            def send() -> None:
                for row in rows:
                    bench.wire.theirs.sendall(row)
                    time.sleep(0.0005)  # so that they come all the while

            sender = threading.Thread(target=send)
            keys = [key(line, edge) for line in LINES for edge in Edge]
            link = bench.registry.attach(load(0), *keys)
            sender.start()
            for n in range(1, 9):
                assert loader.settle(20)
                link.replace(load(n))
            until(lambda: link.runs == len(mine))
            sender.join()
            assert loader.settle(20)
            loader.close()
        counted = [load_u64(table.mem, table.values.origin) for (table,) in tables if isinstance(table, ArrayMap)]
        assert sum(counted) == len(mine)
        assert (bench.errors, errors, link.faults) == ([], [], 0)


def refuses(recipe: Recipe) -> Code:
    raise CompileError(recipe.program.spec.name, "can't be optimised: because")


def ring_of() -> RingBuf:
    ring = create_map(RECORDS)
    assert isinstance(ring, RingBuf)
    return ring


@contextmanager
def repeated(work: Callable[[], int]) -> Iterator[list[int]]:
    """A thread that does it again and again, at least once; how much it did. Raises what it raised."""
    stop, done, raised = threading.Event(), [0], list[BaseException]()

    def loop() -> None:
        try:
            while True:
                done[0] += work()
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 (raised below)
            raised.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    if raised:
        raise raised[0]
