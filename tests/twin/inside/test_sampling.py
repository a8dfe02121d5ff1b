"""A sensor at its rate, where time passes by instructions: a busy machine makes no sample late."""

from __future__ import annotations

import time

import pytest

from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.events import IioEvent
from tests.twin.inside.bench import real_runtime, until
from tests.twin.inside.test_sensors import ADC, Seen, attach, board

MS = 1_000_000


@pytest.mark.parametrize("engine", [Engine.LLVM, Engine.INTERP], ids=["native pump", "python"])
def test_no_sample_of_100_a_second_is_lost_in_10_seconds(engine: Engine) -> None:
    with real_runtime(board(ADC), engine) as runtime:
        seen = Seen(attach(runtime, 48, "iio/adc/voltage0"), IioEvent)
        runtime.loader.settle()
        runtime.start()
        until(lambda: seen.at_least(1))
        time.sleep(10.2)
        seen.at_least(1)
    events = seen.events
    span_ns = events[-1].timestamp_ns - events[0].timestamp_ns
    print(f"{engine.value}: {len(events)} samples in {span_ns / 1e9:.2f} s")
    assert span_ns > 10_000 * MS
    assert [event.seqno for event in events] == list(range(1, len(events) + 1))
    assert sum(event.lost for event in events) == 0
    assert abs((len(events) - 1) * 10 * MS - span_ns) < 10 * MS, "as many as periods: none was lost untold"
