"""A run on lines of the kernel's own, with native code: recorded by Python, replayed without them."""

from __future__ import annotations

from pathlib import Path

from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.board import parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.layout import Layout
from axiom_hw.bpf.maps import Map, create_map
from axiom_hw.bpf.verified import Verified
from axiom_hw.clock import MonotonicClock
from axiom_hw.events import Edge
from axiom_hw.hooks import Link
from axiom_hw.pump import Pump
from axiom_hw.recorder.reading import read_recording
from axiom_hw.recorder.recorder import Recorder
from axiom_hw.replay import differences_to_record, replay
from axiom_hw.runtime import Runtime
from axiom_hw.sources import Devices
from tests import test_natives
from tests.fake_lines import FakeLines
from tests.pump_bench import Wire, until

pytestmark = test_natives.pytestmark


class Programs:
    """One program with its map, as a replay takes them."""

    def __init__(self, verified: Verified) -> None:
        self.verified = verified
        self.maps: dict[str, Map] = {"count": create_map(test_natives.COUNT)}

    def attach(self, runtime: Runtime) -> tuple[Link, ...]:
        return (runtime.attach(self.verified, tuple(self.maps.values()), "gpio/button"),)

    def record_layout(self, ring: str) -> Layout | None:
        return None


def test_edges_of_the_kernel_are_recorded_and_replay_exactly(tmp_path: Path) -> None:
    kernel = test_natives.Kernel(Wire(), FakeLines(2))
    board = parse_board(test_natives.BOARD, "bench", "bench.toml")
    verified = test_natives.Bench.program(None)  # type: ignore[arg-type]
    live = Programs(verified)
    recorder = Recorder(str(tmp_path / "a.axr"))
    devices = Devices(kernel, MockPwm.for_board(board))
    with Runtime(board, MonotonicClock(), devices, engine=Engine.LLVM, tap=recorder) as runtime:
        assert runtime.gpio is not None
        assert not isinstance(runtime.gpio._server, Pump), "a pump would dispatch past the recorder"
        (link,) = live.attach(runtime)
        for number in range(100):
            kernel.wire.edge(17, Edge(2 - number % 2))
        until(lambda: link.runs == 100)
    kernel.wire.close()
    recording = read_recording(recorder.path)
    assert len(recording.events) == 100
    again = Programs(verified)
    outcome = replay(recording, again, board, Engine.LLVM)
    assert list(again.maps["count"].entries()) == list(live.maps["count"].entries())
    assert differences_to_record(recording, outcome) == ()
    assert [output.value for output in outcome.outputs] == [number % 2 for number in range(100)]
