"""Which engine runs a program, from load to the handover to native code, and what happens where there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.code import CompileError
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.clock import MonotonicClock, VirtualClock
from axiom_hw.engines import Loaded
from axiom_hw.errors import AxiomError
from axiom_hw.keys import TimerKey
from axiom_hw.runtime import Runtime
from tests.programs import COUNT, Ready, ready, write

ROOT = Path(__file__).parents[4]
KEY = TimerKey(1_000_000_000, 77)


def runtime(engine: Engine, told: Callable[[AxiomError], None] | None = None) -> Runtime:
    return Runtime(None, VirtualClock(), None, engine=engine, on_engine=told)


def counter(name: str = "count") -> Ready:
    return ready(COUNT, "timer/1s", name)


class Gate:
    """Holds the compiling thread up until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.order: list[str] = []
        real = Native.__init__

        def held(native: Native, *args: object, **options: object) -> None:
            self.order.append(args[0].spec.name)  # type: ignore[attr-defined]
            assert self.opened.wait(20)
            real(native, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Native, "__init__", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def loaded(run: Runtime, which: int = 0) -> Loaded:
    program = run.attached[which].program
    assert isinstance(program, Loaded)
    return program


class TestEngines:
    @pytest.mark.parametrize(("engine", "native"), [(Engine.INTERP, False), (Engine.LLVM, True)])
    def test_the_one_that_is_asked_for_runs_from_the_first_event_on(self, engine: Engine, native: bool) -> None:
        one = counter()
        with runtime(engine) as run:
            link = run.attach(one.verified, one.maps, "timer/1s")
            run.executor.fire(link.keys[0], bytes(16))
            assert (loaded(run).engine, one.numbers()[0]) == (Engine.LLVM if native else Engine.INTERP, 1)
            assert (type(link.attachment.run) is type(len)) is native

    def test_auto_starts_on_the_interpreter_and_changes_while_it_runs(self, gate: Gate) -> None:
        one = counter()
        with runtime(Engine.AUTO) as run:
            link = run.attach(one.verified, one.maps, "timer/1s")
            for _ in range(10):
                run.executor.fire(link.keys[0], bytes(16))
            assert (loaded(run).engine, loaded(run).entry(0)) == (Engine.INTERP, None)
            gate.opened.set()
            assert run.loader.settle(20)
            assert loaded(run).engine is Engine.LLVM
            assert type(link.attachment.run) is type(len)
            for _ in range(10):
                run.executor.fire(link.keys[0], bytes(16))
            assert (one.numbers()[0], link.runs) == (20, 20)  # on the same maps and counters

    def test_a_pump_finds_the_code_and_the_state_of_each_slot(self) -> None:
        one = counter()
        with runtime(Engine.LLVM) as run:
            run.attach(one.verified, one.maps, "timer/1s")
            entries = [loaded(run).entry(slot) for slot in range(2)]
        assert all(entry is not None and entry.code and entry.abort - entry.run == 4 for entry in entries)
        assert entries[0] != entries[1]

    def test_programs_are_compiled_in_the_order_of_attachment(self, gate: Gate) -> None:
        with runtime(Engine.AUTO) as run:
            for name in ("a", "b", "c"):
                one = counter(name)
                run.attach(one.verified, one.maps, "timer/1s")
            gate.opened.set()
            assert run.loader.settle(20)
            assert gate.order == ["a", "b", "c"]

    def test_real_time_is_the_systems(self) -> None:
        """Native code may read the clock itself then; in virtual time it asks."""
        text = '.map seen type=array key=4 value=8 entries=1\n.section "{section}"\n{name}:\ncall 5\nr1 = r0\n' + (
            "r2 = map[seen][0]+0 ll\n*(u64 *)(r2 + 0) = r1\nr0 = 0\nexit\n"
        )
        for clock in (MonotonicClock(), VirtualClock(5)):
            one = ready(text, "timer/1s", "now")
            with Runtime(None, clock, None, engine=Engine.LLVM) as run:
                link = run.attach(one.verified, one.maps, "timer/1s")
                before = clock.now_ns()
                run.executor.fire(link.keys[0], bytes(16))
                assert before <= one.numbers()[0] <= clock.now_ns()


class TestHandover:
    def test_what_was_replaced_meanwhile_stays_replaced(self, gate: Gate) -> None:
        old, new = counter("old"), counter("new")
        with runtime(Engine.AUTO) as run:
            link = run.attach(old.verified, old.maps, "timer/1s")
            first = link.attachment
            link.replace(run.load(new.verified, new.maps))
            gate.opened.set()
            assert run.loader.settle(20)
            assert first.run is None
            run.executor.fire(link.keys[0], bytes(16))
            assert (old.numbers()[0], new.numbers()[0]) == (0, 1)
            assert type(link.attachment.run) is type(len)

    def test_what_was_detached_meanwhile_stays_detached(self, gate: Gate) -> None:
        one = counter()
        with runtime(Engine.AUTO) as run:
            link = run.attach(one.verified, one.maps, "timer/1s")
            link.detach()
            gate.opened.set()
            assert run.loader.settle(20)
            assert not link.active

    def test_what_is_attached_after_it_was_compiled_is_native_at_once(self) -> None:
        one = counter()
        with runtime(Engine.AUTO) as run:
            program = run.load(one.verified, one.maps)
            assert run.loader.settle(20)
            link = run.registry.attach(program, KEY)
            assert type(link.attachment.run) is type(len)

    def test_no_event_is_lost_or_run_twice(self) -> None:
        """Threads fire all the while that programs become native code, one after the other."""
        made = [counter(f"p{n}") for n in range(12)]
        stop, fired = threading.Event(), [0, 0]
        with runtime(Engine.AUTO) as run:

            def fire(which: int) -> None:
                while not stop.is_set():
                    run.executor.fire(KEY, bytes(16))
                    fired[which] += 1

            links = [run.registry.attach(run.load(one.verified, one.maps), KEY) for one in made]
            threads = [threading.Thread(target=fire, args=(n,)) for n in range(2)]
            for thread in threads:
                thread.start()
            assert run.loader.settle(60)
            stop.set()
            for thread in threads:
                thread.join()
            assert [link.runs for link in links] == [sum(fired)] * 12
        assert [one.numbers()[0] for one in made] == [sum(fired)] * 12

    def test_the_end_of_a_run_waits_for_what_is_being_compiled(self, gate: Gate) -> None:
        one = counter()
        others = set(threading.enumerate())
        run = runtime(Engine.AUTO)
        run.start()
        run.attach(one.verified, one.maps, "timer/1s")
        (compiling,) = (t for t in set(threading.enumerate()) - others if t.name == "axiom-compile")
        timer = threading.Timer(0.05, gate.opened.set)
        timer.start()
        run.close()
        assert not compiling.is_alive()


class TestFailures:
    def test_a_compiler_that_fails_is_told_of_once_and_the_program_goes_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*args: object) -> str:
            raise CompileError("count", "can't be lifted: because")

        monkeypatch.setattr("axiom_hw.bpf.engine.llvm.native.module_text", fails)
        one, told = counter(), []
        with runtime(Engine.AUTO, told.append) as run:
            link = run.attach(one.verified, one.maps, "timer/1s")
            assert run.loader.settle(20)
            run.executor.fire(link.keys[0], bytes(16))
            assert (loaded(run).engine, one.numbers()[0]) == (Engine.INTERP, 1)
        assert [str(error) for error in told] == ["count: can't be lifted: because"]

    def test_so_is_a_bug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*args: object) -> str:
            raise KeyError("x")

        monkeypatch.setattr("axiom_hw.bpf.engine.llvm.native.module_text", fails)
        one, two, told = counter(), counter("next"), []
        with runtime(Engine.AUTO, told.append) as run:
            run.attach(one.verified, one.maps, "timer/1s")
            run.attach(two.verified, two.maps, "timer/1s")
            assert run.loader.settle(20)
        assert [error.problem for error in told] == ["can't be compiled: KeyError: 'x'"] * 2

    def test_with_llvm_it_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*args: object) -> str:
            raise CompileError("count", "can't be lifted: because")

        monkeypatch.setattr("axiom_hw.bpf.engine.llvm.native.module_text", fails)
        one = counter()
        with runtime(Engine.LLVM) as run, pytest.raises(CompileError, match="because"):
            run.attach(one.verified, one.maps, "timer/1s")


WITHOUT = """
import sys
sys.modules["llvmlite"] = None  # as if it weren't installed
import axiom_hw as hw

app = hw.App("count")
seen = app.array("seen", hw.u64, entries=4)
app.load(sys.argv[1])
app.main(argv=["--mock", "--for", "3s", *sys.argv[2:]])
print(seen[0], app.links[0].program.engine)
"""


class TestWithoutLlvmlite:
    """In a process of its own, where it can't be imported."""

    def run(self, tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
        file = write(tmp_path, COUNT, section="timer/1s", name="count")
        return subprocess.run(
            [sys.executable, "-c", WITHOUT, str(file), *options], capture_output=True, text=True, cwd=ROOT
        )

    def test_programs_run_on_the_interpreter_and_it_is_said_once(self, tmp_path: Path) -> None:
        done = self.run(tmp_path)
        assert (done.returncode, done.stdout) == (0, "3 interp\n")
        assert done.stderr == "programs run on the interpreter: llvmlite isn't installed\n"

    def test_nothing_is_said_to_who_wants_the_interpreter(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "--engine", "interp")
        assert (done.returncode, done.stdout, done.stderr) == (0, "3 interp\n", "")

    def test_who_wants_native_code_is_told_why_there_is_none(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "--engine", "llvm")
        assert done.returncode == 1
        assert done.stderr == (
            "--engine llvm: can't be had: llvmlite isn't installed\n    fix    use --engine auto, or interp\n"
        )


def test_the_interpreter_is_let_go_of() -> None:
    one = counter()
    with runtime(Engine.AUTO) as run:
        link = run.attach(one.verified, one.maps, "timer/1s")
        assert run.loader.settle(20)
        assert not isinstance(getattr(link.attachment.run, "__self__", None), Interpreter)
