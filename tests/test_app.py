"""The App in this process: maps by name, programs from everywhere, rings in virtual and real time, and the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import axiom_hw as hw
from axiom_hw.app import App
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.bpf.verifier import Rejected
from axiom_hw.errors import AsmError, AxiomError, BoardError, ClockError, HookError, MapError, SpecError
from axiom_hw.options import Options
from axiom_hw.shared_maps import SharedMaps
from tests.programs import COUNT, FAULTY, ticks, write

ROOT = Path(__file__).parents[1]
BUTTON = ROOT / "demos/button.bpf.s"
HEARTBEAT = ROOT / "demos/heartbeat/heartbeat.bpf.o"
DATA = ROOT / "tests/bpf/objects/data.clang14.o"
MOCK = Options(mock=True)


def refusal(kind: type[AxiomError], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as refused:
        call()
    return str(refused.value)


class TestMaps:
    def test_app_and_program_share_a_map_by_its_name_whoever_declares_it_first(self) -> None:
        app = App("button", board="rpi5-bench")
        presses = app.array("presses", hw.u64)
        app.load(BUTTON)
        edges = app.ringbuf("edges", hw.GpioEvent)
        presses[0] = 40
        with app.running(MOCK):
            assert app.bench is not None
            app.bench.press("button")
            app.bench.settle()
            assert presses[0] == 41
            assert [(e.line, e.edge, e.value) for e in edges.consume()] == [(17, hw.Edge.RISING, 1)]
        assert presses[0] == 41  # the map outlives the run
        assert list(app.maps) == ["presses", "edges"]

    def test_a_hash_map_of_the_app_alone(self) -> None:
        app = App("x")
        seen = app.hash("seen", hw.u32, hw.s16)
        seen[7] = -1
        assert app.hash("seen", hw.u32, hw.s16) == {7: -1}

    def test_two_files_share_their_maps_and_keep_their_variables(self) -> None:
        app = App("x", board="rpi5-bench")
        app.load(DATA)
        app.load(DATA)
        app.load(BUTTON)
        app.load(BUTTON, on="gpio/limit")
        assert list(app.maps) == [
            "data.rodata", "data.data", "data.data.tuning", "data.bss",
            "data#2.rodata", "data#2.data", "data#2.data.tuning", "data#2.bss",
            "presses", "edges",
        ]  # fmt: skip
        assert app.maps["data.data"].mem is not app.maps["data#2.data"].mem

    @pytest.mark.parametrize(
        ("declare", "problem"),
        [
            (lambda app: app.hash("presses", hw.u32, hw.u64, 1), "type ARRAY and with HASH"),
            (lambda app: app.array("presses", hw.u32), "value_size 8 and with 4"),
            (lambda app: app.array("presses", hw.u64, entries=2), "max_entries 1 and with 2"),
            (lambda app: app.ringbuf("presses"), "type ARRAY and with RINGBUF"),
        ],
    )
    def test_two_declarations_of_a_name_that_disagree(self, declare: Callable[[App], object], problem: str) -> None:
        app = App("x")
        app.load(BUTTON)
        assert refusal(SpecError, lambda: declare(app)) == (
            f"map presses: is declared twice, with {problem}\n"
            "    fix    declare it the same in the app and in each program; an app that declares it after load(), "
            "and without a size, takes what the program says"
        )

    def test_a_program_that_wants_more_than_the_app_declared(self, tmp_path: Path) -> None:
        app = App("x")
        app.array("seen", hw.u64)
        path = write(tmp_path, COUNT, section="timer/1s", name="tally")  # declares four entries
        assert "with max_entries 1 and with 4" in refusal(SpecError, lambda: app.load(path))
        behind = App("x")
        behind.load(path)
        assert len(behind.array("seen", hw.u64)) == 4

    def test_flags_and_contents_of_the_first_declaration_arent_lost(self, tmp_path: Path) -> None:
        app = App("x")
        app.array("seen", hw.u64, entries=4)
        path = write(tmp_path, COUNT.replace("entries=4", "entries=4 flags=0x400"), section="timer/1s", name="tally")
        assert "with flags 0 and with 1024" in refusal(SpecError, lambda: app.load(path))

    def test_a_ring_has_one_reader(self) -> None:
        app = App("x")
        first = app.ringbuf("ticks")
        assert refusal(MapError, lambda: app.ringbuf("ticks")) == (
            "ring ticks: has a reader already; a ring has one consumer\n    fix    close the other one first"
        )
        assert (repr(first), first.name) == ("<reader of ring ticks: bytes records, open>", "ticks")

    def test_a_type_that_has_no_size(self) -> None:
        app = App("x")
        assert refusal(SpecError, lambda: app.array("a", bytes)) == (
            "array a: needs a type with a size\n    fix    use u8 to s64, or a class with @layout"
        )
        assert "is no type of a key or value" in refusal(MapError, lambda: app.hash("h", hw.u8, int))
        assert refusal(MapError, lambda: app.ringbuf("r", size=1000)).startswith(
            "ring r: has 1000 bytes (max_entries); a ring's size is a power of two from 64 to 1073741824"
        )


class TestPrograms:
    def test_instructions_mean_the_apps_maps_by_the_order_of_their_declaration(self) -> None:
        app = App("x")
        app.array("other", hw.u8)
        count = app.array("count", hw.u64)
        insns = assemble_insns(
            "r1 = map[count][0]+0 ll\nr2 = 1\nlock *(u64 *)(r1 + 0) += r2\nr0 = 0\nexit", maps={"other": 0, "count": 1}
        )
        (verified,) = app.load(insns, on="timer/100ms", name="tally")
        assert (verified.spec.name, verified.worst_case_insns) == ("tally", 5)
        with app.running(Options(mock=True, duration_ns=450_000_000)):
            app.wait()
        assert count[0] == 4

    def test_instructions_name_no_hook(self) -> None:
        insns = assemble_insns("r0 = 0\nexit")
        assert refusal(SpecError, lambda: App("x").load(insns)) == (
            'program: is a list of instructions, which name no hook\n    fix    say it: load(..., on="timer/1s")'
        )

    def test_on_says_the_hook_of_a_file_that_names_none_or_another(self, tmp_path: Path) -> None:
        app = App("x", board="rpi5-bench")
        for number, section in enumerate(("xdp", "gpio/nowhere", "timer/1s")):
            path = write(tmp_path, COUNT, f"{number}.bpf.s", section=section, name="tally")
            (verified,) = app.load(path, on="gpio/button/rising")
            assert (verified.spec.section, verified.spec.ctx.size) == ("gpio/button/rising", 32)
        with app.running(MOCK):
            assert app.bench is not None
            app.bench.press("button")
            app.bench.settle()
        assert [link.runs for link in app.links] == [1, 1, 1]

    def test_a_program_that_isnt_safe_is_refused_and_nothing_of_its_file_stays(self, tmp_path: Path) -> None:
        app = App("x")
        source = COUNT.replace("{section}", "timer/1s").replace("{name}", "good") + FAULTY
        path = write(tmp_path, source, section="timer/2s", name="bad")
        assert "[V20" in refusal(Rejected, lambda: app.load(path))
        assert app.maps == {}
        with app.running(Options(mock=True, duration_ns=10**9)):
            assert app.links == ()

    def test_what_is_loaded_while_the_app_runs_is_attached_at_once(self, tmp_path: Path) -> None:
        app = App("x")
        with app.running(Options(mock=True)) as runtime:
            app.load(write(tmp_path, COUNT, section="timer/10ms", name="tally"))
            seen = app.array("seen", hw.u64)
            clock = runtime.clock
            assert isinstance(clock, hw.VirtualClock)
            clock.advance(50_000_000)
        assert seen[0] == 5

    def test_a_file_that_isnt_there_or_cant_be_read_as_a_program(self, tmp_path: Path) -> None:
        app = App("x")
        assert refusal(AxiomError, lambda: app.load(tmp_path / "x.bpf.o")).startswith(
            f"{tmp_path}/x.bpf.o: there is no such file"
        )
        broken = write(tmp_path, '.section "timer/1s"\nt:\n    r0 == 0\n    exit\n')
        assert refusal(AsmError, lambda: app.load(broken)).startswith(f"{broken}:3: ")

    def test_a_pinned_map_is_refused_rather_than_made_private(self) -> None:
        spec = MapSpec("shared", MapType.ARRAY, 4, 8, 1, pinned=True)
        assert refusal(SpecError, lambda: SharedMaps(0).bind("x.bpf.o", (spec,), {})) == (
            "map shared: is declared as pinned; the maps of an App live and end with it\n"
            "    fix    leave `pinning` out of the declaration"
        )


class TestVirtualTime:
    def test_a_ring_ends_when_nothing_is_left_to_happen(self) -> None:
        app = App("button", board="rpi5-bench")
        app.load(BUTTON)
        edges = app.ringbuf("edges", hw.GpioEvent)

        @app.scenario
        def fingers(bench: hw.MockBench) -> None:
            bench.after("1s").press("button", bounces=2)
            bench.after("2s").release("button")

        with app.running(MOCK):
            seen = [(edge.timestamp_ns, edge.value, app.read("led"), app.read("button")) for edge in edges]
            assert app.over
        assert seen == [(1_006_600_000, 1, 1, 1), (3_005_000_000, 0, 0, 0)]

    def test_for_ends_it_with_the_records_of_the_last_instant(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path))
        reader = app.ringbuf("ticks", hw.u32)
        with app.running(Options(mock=True, duration_ns=50_000_000)):
            assert list(reader) == [1, 2, 3, 4, 5]
            assert app.now_ns() == 50_000_000

    def test_end_ends_it_and_hands_out_what_is_there(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path))
        reader = app.ringbuf("ticks", hw.u32)
        seen = []
        with app.running(MOCK):
            for tick in reader:
                seen.append(tick)
                if tick == 3:
                    app.end()
        assert seen == [1, 2, 3]

    def test_poll_moves_the_clock_by_its_time_out_at_most(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path))
        reader = app.ringbuf("ticks", hw.u32)
        with app.running(MOCK):
            assert (reader.poll(0.004), app.now_ns()) == ([], 4_000_000)
            assert (reader.poll(1), app.now_ns()) == ([1], 10_000_000)
            assert (reader.poll(0), app.now_ns()) == ([], 10_000_000)

    def test_wait_returns_when_the_scenario_is_over_or_the_time_is_up(self, tmp_path: Path) -> None:
        app = App("button", board="rpi5-bench")
        app.load(BUTTON)
        app.scenario(lambda bench: bench.after("1s").press("button"))
        with app.running(MOCK) as runtime:
            app.wait()
            assert (app.now_ns(), runtime.ended.is_set()) == (1_005_000_000, True)
        for_ever = App("x")
        for_ever.load(ticks(tmp_path))
        with for_ever.running(Options(mock=True, duration_ns=10**9)):
            for_ever.wait()
            assert for_ever.now_ns() == 10**9

    def test_a_link_that_is_detached_lets_virtual_time_come_to_rest(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path))
        reader = app.ringbuf("ticks", hw.u32)
        seen = []
        with app.running(MOCK):
            for tick in reader:
                seen.append(tick)
                if tick == 2:
                    app.links[0].detach()
        assert seen == [1, 2]

    def test_the_records_of_several_rings_come_in_the_order_of_time(self, tmp_path: Path) -> None:
        app = App("x")
        for name, period in (("fast", "10ms"), ("slow", "25ms")):
            app.load(ticks(tmp_path, name, period))
            app.ringbuf(name, hw.u32)
        with app.running(Options(mock=True, duration_ns=50_000_000)):
            seen = [(app.now_ns() // 10**6, ring.name, count) for ring, count in app.records()]
        assert seen == [
            (10, "fast", 1), (20, "fast", 2), (25, "slow", 1), (30, "fast", 3), (40, "fast", 4),
            (50, "fast", 5), (50, "slow", 2),
        ]  # fmt: skip

    def test_records_without_a_ring_waits_for_the_end(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path))
        with app.running(Options(mock=True, duration_ns=30_000_000)):
            assert list(app.records()) == []
            assert app.now_ns() == 30_000_000

    def test_two_readers_in_two_threads_each_get_all_of_theirs(self, tmp_path: Path) -> None:
        app = App("x")
        readers = []
        for name, period in (("one", "10ms"), ("two", "10ms")):
            app.load(ticks(tmp_path, name, period))
            readers.append(app.ringbuf(name, hw.u32))
        got: dict[str, list[int]] = {}
        with app.running(Options(mock=True, duration_ns=10**9)):
            threads = [threading.Thread(target=lambda r=r: got.update({r.name: list(r)})) for r in readers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert got == {"one": list(range(1, 101)), "two": list(range(1, 101))}

    def test_waiting_inside_a_timer_is_told(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path))
        reader = app.ringbuf("ticks", hw.u32)
        with app.running(MOCK) as runtime:
            runtime.scheduler.after(1_000_000, lambda *_: reader.poll())
            message = refusal(ClockError, app.wait)
        assert message.startswith("virtual clock: is being moved already, at 1000000 ns")


class TestRealTime:
    def test_records_arrive_from_the_timers_thread(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path, period="2ms"))
        reader = app.ringbuf("ticks", hw.u32)
        seen = []
        with app.running(Options(mock=True, real_time=True)):
            for tick in reader:
                seen.append(tick)
                if len(seen) == 3:
                    break
        assert 1 <= seen[0] < seen[1] < seen[2]  # a busy machine may miss a period; the next tick counts it

    def test_poll_returns_empty_when_the_time_is_up_and_end_wakes_whoever_waits(self, tmp_path: Path) -> None:
        app = App("x")
        app.load(ticks(tmp_path, period="1000s"))
        reader = app.ringbuf("ticks", hw.u32)
        with app.running(Options(mock=True, real_time=True)):
            began_ns = app.now_ns()
            assert reader.poll(0.01) == []
            assert app.now_ns() - began_ns >= 10_000_000
            threading.Timer(0.01, app.end).start()
            assert list(app.records()) == []
            assert list(reader) == []

    def test_for_ends_a_run_that_waits(self) -> None:
        app = App("x")
        with app.running(Options(mock=True, real_time=True, duration_ns=5_000_000)):
            app.wait()
            assert app.over

    def test_the_mock_bench_in_real_time(self) -> None:
        app = App("button", board="rpi5-bench")
        app.load(BUTTON)
        edges = app.ringbuf("edges", hw.GpioEvent)
        app.scenario(lambda bench: bench.after("1ms").press("button"))
        with app.running(Options(mock=True, real_time=True)):
            (edge,) = edges.poll(20)
            assert (edge.value, app.read("led")) == (1, 1)
        assert app.bench is not None
        assert app.bench.value("led") == 0


class TestOneRun:
    def test_an_app_runs_once(self) -> None:
        app = App("x")
        with app.running(MOCK):
            pass

        def again() -> None:
            with app.running(MOCK):
                pass

        assert refusal(SpecError, again) == "x: has run already; its rings are closed\n    fix    make another App"

    def test_reading_a_line(self) -> None:
        app = App("x", board="rpi5-bench")
        assert refusal(SpecError, lambda: app.read("led")) == (
            "x: can't read `led` unless it runs on a board\n    fix    read in the function that main() is given"
        )
        with app.running(MOCK):
            assert (app.read("led"), app.read("button")) == (0, 0)
            assert "did you mean `button`?" in refusal(BoardError, lambda: app.read("buton"))
            assert "`servo` is a PWM channel, which has no value" in refusal(BoardError, lambda: app.read("servo"))
        assert "unless it runs" in refusal(SpecError, lambda: app.read("led"))

    def test_a_mistake_on_the_way_in_leaves_nothing_taken(self, tmp_path: Path) -> None:
        app = App("x", board="rpi5-bench")
        app.load(write(tmp_path, COUNT, section="gpio/buton", name="tally"))
        with pytest.raises(HookError), app.running(MOCK):
            pytest.fail("a section that names no input of the board was attached")
        assert app.bench is not None
        assert app.bench.gpio.open("pinctrl-rp1").consumer(18) is None
        slip = App("x", board="rpi5-bench")
        slip.scenario(lambda bench: bench.after("1s").press("buton"))
        with pytest.raises(BoardError), slip.running(MOCK):
            pytest.fail("a scenario that presses what isn't there was played")
        assert slip.bench is not None
        assert slip.bench.gpio.open("pinctrl-rp1").consumer(18) is None

    def test_a_board_that_isnt_there(self) -> None:
        def run() -> None:
            with App("x", board="rpi5-bnech").running(MOCK):
                pass

        told = refusal(BoardError, run)
        assert told.startswith("board `rpi5-bnech`: isn't known; there are ")
        assert told.endswith("\n    fix    did you mean `rpi5-bench`?")
