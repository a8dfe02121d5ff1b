"""What the measurements make of their samples: ratios to the right figure, goals, and reasons where one is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.spec import CtxSpec
from axiom_hw.source import read_object
from tests.bench.native import compiling, compute, events, kernel, threads
from tests.bench.native.__main__ import BENCHES, main
from tests.bench.native.builds import PROGRAMS, Compiler
from tests.bench.native.generated import INSNS, generated
from tests.bench.native.rounds import Sample
from tests.bench.native.setup import Setup, inputs, objects, proved
from tests.bench.native.table import Line

NOWHERE = Setup(Path("/nonexistent"), (), "bpf(2) isn't permitted", 1, 1)
GCC = Compiler("gcc", "/usr/bin/gcc", "gcc 1.0")


def sample(name: str, ns: float) -> Sample:
    return Sample(name, (ns,))


def told(line: Line) -> tuple[str, float | None, str]:
    return line.name, line.ratio, line.against


def test_a_program_is_compared_with_the_better_compiler_and_the_kernel_without_its_overhead() -> None:
    pairs: list[tuple[Sample, Sample]] = []
    samples = [sample("llvm engine", 100), sample("quick code", 300), sample("gcc", 100), sample("clang", 80)]
    samples.append(sample("kernel", 220))
    first, *others = compute.judged("fir", samples, sample("kernel", 20), pairs)
    assert told(first) == ("fir: llvm engine", 1.25, "clang -O2, the better one")
    assert first.goal is compute.AGAINST_C
    assert [line.name for line in others] == ["fir: gcc", "fir: clang", "fir: kernel", "fir: quick code"]
    assert told(others[-1]) == ("fir: quick code", 3.0, "llvm engine")
    assert [(ours.ns, there.ns) for ours, there in pairs] == [(100, 200)]


def test_with_one_compiler_and_no_kernel_there_is_less_to_compare() -> None:
    pairs: list[tuple[Sample, Sample]] = []
    first, _ = compute.judged("fir", [sample("llvm engine", 100), sample("gcc", 100)], None, pairs)
    assert told(first) == ("fir: llvm engine", 1.0, "gcc -O2")
    assert pairs == []


def test_without_an_engine_or_a_compiler_nothing_is_compared() -> None:
    assert [line.ratio for line in compute.judged("fir", [sample("gcc", 1), sample("kernel", 2)], None, [])] == [
        None
    ] * 2
    (alone,) = compute.judged("fir", [sample("llvm engine", 1)], None, [])
    assert (alone.value, alone.ratio) == ("1 ns", None)


def test_what_a_machine_lacks_is_said() -> None:
    assert [(line.name, line.why_not) for line in compute.missing(NOWHERE)][:3] == [
        ("gcc", "no gcc is installed"),
        ("clang", "no clang is installed"),
        ("kernel", "bpf(2) isn't permitted"),
    ]
    assert "gcc" not in [line.name for line in compute.missing(replace(NOWHERE, compilers=(GCC,)))]


def test_events_are_compared_with_the_empty_call() -> None:
    names = ["interpreter, one event", "llvm engine, one event", "llvm engine, of a batch of 4096"]
    samples = [
        sample(events.EMPTY_TURN, 10),
        sample(events.EMPTY_CALL, 110),
        *(sample(name, ns) for name, ns in zip(names, (5010, 30, 5), strict=True)),
    ]
    turn, call, *others = events.judged(samples)
    assert (turn.value, turn.ratio) == ("10 ns", None)
    assert (call.value, call.ratio) == ("100 ns", None)
    assert [told(line) for line in others] == [
        (name, ratio, events.EMPTY_CALL) for name, ratio in zip(names, (50, 0.2, 0.05), strict=True)
    ]
    assert [line.goal for line in others] == [None, events.SINGLE, events.BATCHED]


def test_two_threads_that_take_as_long_as_one_do_twice_as_much() -> None:
    assert threads.speed_up(sample("one", 10), sample("two", 10)) == 2.0
    assert threads.speed_up(sample("one", 10), sample("two", 20)) == 1.0


def test_compile_times_are_judged_in_ms() -> None:
    line = compiling.judged(sample(f"compile {INSNS} instructions, in ms", 25e6))
    assert (line.value, line.number, line.goal) == ("25 ms", 25.0, compiling.FRESH_MS)


def test_generated_programs_have_their_length_and_are_never_the_same() -> None:
    programs = [generated(seed) for seed in range(5)]
    assert {len(program.insns) for program in programs} == {INSNS}
    assert len({program.insns for program in programs}) == 5
    assert generated(3) == programs[3]


def test_maps_become_file_descriptors_for_the_kernel_and_nothing_else_changes() -> None:
    wide = 0x18
    program = (Insn(wide, 1, 1, 0, 1), Insn(0), Insn(wide, 2, 2, 0, 0), Insn(0, imm=8), Insn(wide, 3, 0, 0, 1), Insn(0))
    assert kernel._patched(program, [40, 41]) == (
        Insn(wide, 1, 1, 0, 41), Insn(0), Insn(wide, 2, 2, 0, 40), Insn(0, imm=8), Insn(wide, 3, 0, 0, 1), Insn(0),
    )  # fmt: skip


def test_a_seed_that_no_packet_can_have_is_refused() -> None:
    if why := kernel.why_not():
        pytest.skip(why)
    there = kernel.KernelProgram(objects("empty").programs[0])
    try:
        assert there.run(100, 3)[0] == 100
        with pytest.raises(ValueError, match="32 at least; got 31"):
            there.run(31, 1)
    finally:
        there.close()


@pytest.mark.parametrize("name", ["empty", "crc", "events", "lookups"])
def test_the_objects_are_there_and_proved(name: str) -> None:
    assert (PROGRAMS / f"{name}.bpf.c").exists()
    for spec in objects(name).programs:
        assert proved(name, spec.name).spec is spec


def test_every_source_has_its_object() -> None:
    sources = {path.name.removesuffix(".bpf.c") for path in PROGRAMS.glob("*.bpf.c")}
    assert sources == {path.name.removesuffix(".bpf.o") for path in PROGRAMS.glob("*.bpf.o")}
    for name in sources:
        assert read_object(PROGRAMS / f"{name}.bpf.o", lambda section: CtxSpec(16)).programs


def test_contexts_lie_back_to_back() -> None:
    assert inputs(2, seed=0x01020304).raw == b"\4\3\2\1\0\0\0\0" * 2


def test_an_unknown_measurement_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["computing"])
    assert f"computing: no measurement of that name; there are: {', '.join(BENCHES)}" in capsys.readouterr().err
