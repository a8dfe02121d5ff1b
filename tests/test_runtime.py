"""One bench, running: events from the wire to programs, programs to outputs, and what is left when it ends."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from axiom_hw.actuation import Verdict
from axiom_hw.backends.gpiod_gpio import GpiodBackend
from axiom_hw.backends.pwm import PwmState
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.bench import MockBench
from axiom_hw.board import load_board, parse_board
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.clock import MS, MonotonicClock, VirtualClock
from axiom_hw.errors import BackendError, Fault, HookError
from axiom_hw.hooks import Grace, Link
from axiom_hw.keys import PwmKey
from axiom_hw.runtime import Runtime, Trace
from axiom_hw.sources import Devices
from tests.programs import COUNT, FAULTY, Ready, forged, ready

SERVO = PwmKey(0, 0)
SERVO_AT = PwmState(20 * MS, 2 * MS, enabled=True)
OFF = PwmState(20 * MS, 0, enabled=False)
# Calls each hardware helper, and keeps what each returned.
HARDWARE = """
.map results type=array key=4 value=64 entries=1
.section "{section}"
{name}:
    r6 = map[results][0]+0 ll
    r1 = 18
    r2 = 1
    call gpio_set
    *(u64 *)(r6 + 0) = r0
    r1 = 18
    call gpio_get
    *(u64 *)(r6 + 8) = r0
    r1 = 17
    call gpio_get
    *(u64 *)(r6 + 16) = r0
    r1 = 19
    r2 = 1
    call gpio_set
    *(u64 *)(r6 + 24) = r0
    r1 = 18
    r2 = 2
    call gpio_set
    *(u64 *)(r6 + 32) = r0
    r1 = -1
    call gpio_get
    *(u64 *)(r6 + 40) = r0
    r1 = 0
    r2 = 0
    r3 = 10
    call pwm_write
    *(u64 *)(r6 + 48) = r0
    r1 = 0
    r2 = 3
    r3 = 10
    call pwm_write
    *(u64 *)(r6 + 56) = r0
    r0 = 0
    exit
"""
STOP = """
.map results type=array key=4 value=16 entries=1
.section "{section}"
{name}:
    r6 = map[results][0]+0 ll
    r1 = 7
    call emergency_stop
    *(u64 *)(r6 + 0) = r0
    r1 = 18
    r2 = 1
    call gpio_set
    *(u64 *)(r6 + 8) = r0
    r0 = 0
    exit
"""
# Answers each state of the servo with one of its own, and counts the states.
ECHO = """
.map seen type=array key=4 value=8 entries=1
.section "{section}"
{name}:
    r1 = map[seen][0]+0 ll
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    r1 = 0
    r2 = 0
    r3 = 5
    call pwm_write
    r0 = 0
    exit
"""
LIGHT = """
.section "{section}"
{name}:
    r1 = 18
    r2 = 1
    call gpio_set
    r0 = 0
    exit
"""
RANDOM = """
.map seen type=array key=4 value=8 entries=1
.section "{section}"
{name}:
    call get_prandom_u32
    r1 = map[seen][0]+0 ll
    *(u64 *)(r1 + 0) = r0
    r0 = 0
    exit
"""
SAY = """
.map text type=array key=4 value=8 entries=1 data=6e6f772025640a00 frozen=yes
.section "{section}"
{name}:
    r3 = *(u32 *)(r1 + 8)
    r1 = map[text][0]+0 ll
    r2 = 8
    call trace_printk
    r0 = 0
    exit
"""
QUICK = """
[chip.header]
label = "pinctrl-rp1"
event_buffer_size = 1024
[input.sensor]
line = 4
[output.led]
line = 18
safe = "low"
"""


@pytest.fixture
def bench() -> MockBench:
    return MockBench(load_board("rpi5-bench"))


@pytest.fixture
def runtime(bench: MockBench) -> Iterator[Runtime]:
    with bench.runtime() as runtime:
        yield runtime


def attach(runtime: Runtime, source: str, section: str, priority: int = 0, name: str = "test") -> tuple[Link, Ready]:
    program = ready(source, section, name)
    return runtime.attach(program.verified, program.maps, section, priority=priority), program


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def results(program: Ready) -> list[int]:
    memory = program.maps[0].mem
    at, size = program.maps[0].values.origin, program.maps[0].spec.value_size
    return [signed(memory.u64[at // 8 + n]) for n in range(size // 8)]


class TestEvents:
    def test_an_edge_runs_the_programs_on_its_side_only(self, bench: MockBench, runtime: Runtime) -> None:
        _, both = attach(runtime, COUNT, "gpio/button")
        _, rising = attach(runtime, COUNT, "gpio/button/rising")
        _, published = attach(runtime, COUNT, "gpio/0/line17/falling")
        _, other = attach(runtime, COUNT, "gpio/limit")
        for _ in range(3):
            bench.press("button")
            bench.settle()
            bench.release("button")
            bench.settle()
        bench.press("button")
        bench.settle()
        assert [p.numbers()[0] for p in (both, rising, published, other)] == [7, 4, 3, 0]

    def test_a_timer_begins_with_its_program_and_ends_with_its_link(self, bench: MockBench, runtime: Runtime) -> None:
        link, ticks = attach(runtime, COUNT, "timer/100ms")
        bench.advance("350ms")
        assert ticks.numbers()[0] == 3
        assert link.detach() is Grace.OVER
        bench.advance("1s")
        assert ticks.numbers()[0] == 3
        assert runtime.timers.keys() == ()  # so that virtual time comes to rest

    def test_a_program_on_a_pwm_output_sees_its_states_and_doesnt_recurse(
        self, bench: MockBench, runtime: Runtime
    ) -> None:
        link, echo = attach(runtime, ECHO, "pwm/servo")
        assert runtime.guard is not None
        runtime.guard.write_pwm(0, 0, 10, "somebody")
        assert (link.runs, link.faults, echo.numbers()[0]) == (1, 0, 1)
        assert bench.pwm_state("servo") == PwmState(20 * MS, 1 * MS, enabled=True)  # what the program wrote
        stats = runtime.executor.stats_of(SERVO)
        assert (stats.events, stats.suppressed) == (2, 1)  # its own write is an event too, which ends here

    def test_two_programs_that_answer_each_other_end_too(self, bench: MockBench, runtime: Runtime) -> None:
        first, _ = attach(runtime, ECHO, "pwm/servo", name="first")
        second, _ = attach(runtime, ECHO, "pwm/0/channel0", name="second")
        assert runtime.guard is not None
        runtime.guard.write_pwm(0, 0, 10, "somebody")
        assert (first.runs, second.runs) == (1, 1)

    def test_a_lower_priority_runs_first(self, bench: MockBench, runtime: Runtime) -> None:
        order: list[str] = []
        bench.gpio.open("pinctrl-rp1").watch(lambda _time, line, level: order.append(f"{line}:{level}"))
        attach(runtime, LIGHT, "gpio/limit/rising", priority=5)
        attach(runtime, LIGHT.replace("r1 = 18", "r1 = 27").replace("r2 = 1", "r2 = 0"), "gpio/limit/rising")
        attach(runtime, LIGHT.replace("r1 = 18", "r1 = 27"), "gpio/limit/rising", priority=-1)
        bench.press("limit")
        bench.settle()
        assert order == ["22:0", "27:0", "27:1", "18:1"]

    def test_what_a_program_prints_is_kept_and_told(self, bench: MockBench) -> None:
        told: list[Trace] = []
        with bench.runtime(on_trace=told.append) as runtime:
            attach(runtime, SAY, "timer/10ms", name="talker")
            bench.advance("20ms")
            assert told == [Trace(10 * MS, "talker", "now 1"), Trace(20 * MS, "talker", "now 2")]
            assert list(runtime.traces) == told

    def test_random_numbers_come_from_the_seed_and_differ_between_programs(self, bench: MockBench) -> None:
        def drawn(seed: int) -> list[int]:
            bench = MockBench(load_board("rpi5-bench"))
            with bench.runtime(seed=seed) as runtime:
                programs = [attach(runtime, RANDOM, "timer/1ms", name=name)[1] for name in ("one", "two")]
                bench.advance("1ms")
                return [program.numbers()[0] for program in programs]

        assert drawn(1) == drawn(1) != drawn(2)
        assert len(set(drawn(1))) == 2


class TestFaults:
    def test_a_fault_is_counted_and_told_and_the_next_program_runs(self, bench: MockBench) -> None:
        told: list[tuple[Link, Fault]] = []
        with bench.runtime(on_fault=lambda link, fault: told.append((link, fault))) as runtime:
            faulty = runtime.attach(forged(FAULTY, "timer/10ms", "broken"), (), "timer/10ms")
            _, good = attach(runtime, COUNT, "timer/10ms")
            bench.advance("20ms")
            assert (faulty.runs, faulty.faults, good.numbers()[0]) == (2, 2, 2)
            assert [link for link, _ in told] == [faulty, faulty]
            fault = told[0][1]
            assert (fault.program, fault.pc, fault.region) == ("broken", 0, "the stack")
            assert str(fault).endswith("offset 512 of the stack, which has 512 bytes")


class TestOutputs:
    def test_each_hardware_helper_to_the_wire_and_its_errno_back(self, bench: MockBench, runtime: Runtime) -> None:
        link, program = attach(runtime, HARDWARE, "gpio/button/rising")
        bench.press("button")
        bench.settle()
        assert link.faults == 0
        assert results(program) == [0, 1, 1, -errno.ENODEV, -errno.EINVAL, -errno.ENODEV, 0, -errno.ENODEV]
        assert (bench.value("led"), bench.pwm_state("servo")) == (1, SERVO_AT)
        assert runtime.guard is not None
        assert [(d.source, d.output, d.verdict) for d in runtime.guard.audit()] == [
            ("test", "led", Verdict.APPLIED),
            ("test", "gpio/0/line19", Verdict.UNKNOWN),
            ("test", "led", Verdict.REFUSED),
            ("test", "servo", Verdict.APPLIED),
            ("test", "pwm/0/channel3", Verdict.UNKNOWN),
        ]

    def test_an_emergency_stop_by_a_program_holds_for_every_program(self, bench: MockBench, runtime: Runtime) -> None:
        attach(runtime, HARDWARE, "gpio/button/rising")
        _, stop = attach(runtime, STOP, "gpio/limit/rising", name="brake")
        bench.press("button")
        bench.settle()
        assert (bench.value("led"), bench.pwm_state("servo")) == (1, SERVO_AT)
        bench.press("limit")
        bench.settle()
        assert results(stop) == [0, -errno.EPERM]
        assert (bench.value("led"), bench.pwm_state("servo")) == (0, OFF)
        assert runtime.guard is not None
        assert runtime.guard.stopped is not None
        assert (runtime.guard.stopped.source, runtime.guard.stopped.reason) == ("brake", "reason 7")

    def test_each_device_of_a_board_finds_a_slot_and_four_threads_of_the_application_do(self) -> None:
        sensors = "".join(f'[hwmon.t{at}]\ndevice = "chip{at}"\nchannels = ["temp1"]\nrate = "1s"\n' for at in range(9))
        board = parse_board(sensors, "many", "many.toml")
        assert len(Runtime(board, VirtualClock(), None).registry.slots) == 9 + 2 + 4
        assert len(Runtime(None, VirtualClock(), None).registry.slots) == 8

    def test_a_line_that_somebody_holds_is_named_and_nothing_stays_taken(self, bench: MockBench) -> None:
        first = bench.runtime()
        with pytest.raises(BackendError) as busy:
            bench.runtime()
        assert busy.value.errno == errno.EBUSY
        assert str(busy.value).startswith('line 17 of pinctrl-rp1: is in use by "axiom_hw"')
        first.close()
        bench.pwm.open("1f00098000.pwm", 0)  # somebody's servo
        with pytest.raises(BackendError, match=r"channel 0 of 1f00098000.pwm: is in use"):
            bench.runtime()
        assert [bench.gpio.open("pinctrl-rp1").consumer(line) for line in (17, 18, 22, 27)] == [None] * 4


class TestRefusals:
    def test_the_program_and_its_section_are_named(self, runtime: Runtime) -> None:
        program = ready(COUNT, "gpio/button", "tally")
        with pytest.raises(HookError) as refused:
            runtime.attach(program.verified, program.maps, "gpio/buton")
        assert str(refused.value) == (
            "tally, section 'gpio/buton' on boards/rpi5-bench.toml: has no input `buton`; it has button, limit\n"
            "    fix    did you mean `button`?"
        )

    def test_after_the_end(self, bench: MockBench) -> None:
        with bench.runtime() as runtime:
            pass
        with pytest.raises(HookError) as refused:
            attach(runtime, COUNT, "timer/1s", name="tally")
        assert str(refused.value) == (
            "tally: comes too late: the run is over\n    fix    attach it while the runtime runs"
        )
        assert runtime.timers.keys() == ()

    def test_hardware_without_a_board(self) -> None:
        program = ready(LIGHT, "timer/1s", "lamp")
        with Runtime(None, VirtualClock(), None) as runtime, pytest.raises(HookError) as refused:
            runtime.attach(program.verified, program.maps, "timer/1s")
        assert str(refused.value) == (
            "lamp at pc 2: calls gpio_set, which needs a board, but none was chosen\n"
            '    fix    choose one: --board rpi5-bench, or App(..., board="rpi5-bench")'
        )

    def test_a_hook_with_a_budget_admits_what_fits_and_starts_no_timer_for_the_rest(self, bench: MockBench) -> None:
        with bench.runtime(budget_insns=4) as runtime:
            program = ready(COUNT, "timer/1s", "tally")
            with pytest.raises(HookError) as refused:
                runtime.attach(program.verified, program.maps, "timer/1s")
            assert "would need 5 instructions an event in the worst case (tally 5); the budget is 4" in str(
                refused.value
            )
            assert runtime.timers.keys() == ()

    def test_a_machine_without_the_chip(self, tmp_path: Path) -> None:
        devices = Devices(GpiodBackend(dev=tmp_path), SysfsPwm(root=tmp_path))
        with pytest.raises(BackendError) as missing:
            Runtime(load_board("rpi5-bench"), MonotonicClock(), devices)
        assert missing.value.errno == errno.ENODEV
        assert str(missing.value) == (
            "chip pinctrl-rp1: isn't there; there is no GPIO chip on this machine\n"
            "    fix    run with --mock for a bench in memory, or correct `label` in the board file; "
            "`axiom-hw doctor` looks closer"
        )


class TestThreads:
    """On a real clock, where the adapter's thread brings the events."""

    def test_detaching_and_attaching_under_load(self) -> None:
        bench = MockBench(parse_board(QUICK, "quick", "boards/quick.toml"), MonotonicClock())
        chip, pulling = bench.gpio.open("pinctrl-rp1"), threading.Event()

        def pull() -> None:
            level = 0
            while not pulling.is_set():
                level ^= 1
                chip.drive(4, level)

        wiggler = threading.Thread(target=pull)
        with bench.runtime() as runtime:
            steady, counted = attach(runtime, COUNT, "gpio/sensor")
            wiggler.start()
            seen = 0
            for _ in range(30):
                link, program = attach(runtime, COUNT, "gpio/sensor")
                while link.runs == 0:
                    bench.clock.wait_until(bench.clock.now_ns() + MS // 10, threading.Event())
                assert link.detach() is Grace.OVER
                runs = program.numbers()[0]
                assert runs == link.runs > 0
                before = steady.runs
                while steady.runs < before + 5:
                    bench.clock.wait_until(bench.clock.now_ns() + MS // 10, threading.Event())
                assert program.numbers()[0] == runs  # not one more after its detach returned
                seen += runs
            pulling.set()
            wiggler.join()
            assert runtime.gpio is not None
            runtime.gpio.stop()  # edges that are still queued would be counted between the two readings
            assert counted.numbers()[0] == steady.runs >= seen
            assert steady.faults == 0

    def test_closing_under_load_ends_with_safe_outputs(self) -> None:
        bench = MockBench(parse_board(QUICK, "quick", "boards/quick.toml"), MonotonicClock())
        chip, pulling, lit = bench.gpio.open("pinctrl-rp1"), threading.Event(), threading.Event()
        chip.watch(lambda _time, line, level: lit.set() if (line, level) == (18, 1) else None)

        def pull() -> None:
            level = 0
            while not pulling.is_set():
                level ^= 1
                chip.drive(4, level)

        wiggler = threading.Thread(target=pull)
        with bench.runtime() as runtime:
            attach(runtime, LIGHT, "gpio/sensor")
            wiggler.start()
            assert lit.wait(20)
        assert bench.value("led") == 0
        pulling.set()
        wiggler.join()
        assert bench.value("led") == 0


def test_maps_are_shared_with_whoever_holds_them(bench: MockBench, runtime: Runtime) -> None:
    program = ready(COUNT, "gpio/button")
    assert program.maps[0].spec == MapSpec("seen", MapType.ARRAY, 4, 8, 4)
    runtime.attach(program.verified, program.maps, "gpio/button")
    runtime.attach(program.verified, program.maps, "gpio/limit")
    for name in ("button", "limit"):
        bench.press(name)
    bench.settle()
    assert program.numbers()[0] == 2
