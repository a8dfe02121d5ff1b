"""What breaks: dropped edges, worn contacts, stuck wires, calls that fail, silent sensors, plugs that are pulled."""

from __future__ import annotations

import errno

import pytest

from axiom_hw.actuation import Asker
from axiom_hw.clock import S
from axiom_hw.errors import BackendError, OutputError
from axiom_hw.events import Edge, GpioEvent, I2cEvent, IioEvent, SerialEvent
from axiom_hw.keys import GpioKey, I2cKey, IioKey, SerialKey
from tests.world.worlds import listen, new, refusal

LIMIT = tuple(GpioKey(0, 22, edge) for edge in Edge)
BUTTON = tuple(GpioKey(0, 17, edge) for edge in Edge)


def test_dropped_edges_have_numbers_so_the_next_one_tells() -> None:
    bench = new()
    with bench.runtime() as runtime:
        seen = listen(runtime, GpioEvent, *LIMIT)
        bench.fault("limit").drop(2)
        for number in range(5):
            bench.drive("limit", (number + 1) % 2)
            bench.advance("1ms")
        bench.fault("limit").drop_every(3)
        for number in range(6):
            bench.drive("limit", number % 2)
            bench.advance("1ms")
        assert runtime.gpio is not None
        counters = runtime.gpio.counters("limit")
    assert [(e.seqno, e.lost) for e in seen] == [(3, 2), (4, 0), (5, 0), (6, 0), (7, 0), (9, 1), (10, 0)]
    assert bench.edges("limit") == 11 == counters.received + counters.lost + 1, (
        "the last edge is gone, nobody knows yet"
    )


def test_a_worn_contact_bounces_from_then_on() -> None:
    bench = new()
    levels: list[int] = []
    bench.gpio.open("pinctrl-rp1").watch(lambda _time, offset, level: levels.append(level) if offset == 17 else None)
    with bench.runtime() as runtime:
        seen = listen(runtime, GpioEvent, *BUTTON)
        bench.after("10ms").fault("button").bounce(2)
        bench.after("10ms").press("button")
        bench.advance("50ms")
        bench.fault("button").heal()
        bench.release("button")
        bench.settle()
    assert levels == [1, 0, 1, 0, 1, 0, 1]
    assert [(e.timestamp_ns // 1000, e.value) for e in seen] == [(26_600, 1), (55_000, 0)]


def test_a_stuck_wire_keeps_its_level_whoever_drives_it() -> None:
    bench = new()
    with bench.runtime() as runtime:
        assert runtime.guard is not None
        bench.fault("limit").stick()
        bench.drive("limit", 1)
        assert bench.value("limit") == 0
        bench.fault("limit").heal()
        assert bench.value("limit") == 1
        bench.fault("led").stick()
        runtime.guard.write("led", 1, Asker("test"))
        assert bench.value("led") == 0, "a short circuit"
        bench.fault("led").heal()
        assert bench.value("led") == 1


def test_writes_that_fail_are_answered_with_their_number() -> None:
    bench = new()
    with bench.runtime() as runtime:
        assert runtime.guard is not None
        bench.fault("led").fail(times=1)
        bench.fault("fan").fail(errno.EACCES)
        assert runtime.guard.write("led", 1, Asker("test")) == -errno.EIO
        assert runtime.guard.write("fan", 1000, Asker("test")) == -errno.EACCES
        assert runtime.guard.write("led", 1, Asker("test")) == 0
        assert runtime.guard.write("fan", 1000, Asker("test")) == 0
        bench.fault("limit").fail(errno.EIO)
        assert runtime.guard.get_gpio(22) == -errno.EIO
        assert runtime.guard.get_gpio(22) == 0


def test_a_chip_that_is_unplugged_ends_the_run_with_its_name() -> None:
    bench = new()
    runtime = bench.runtime()
    runtime.start()
    bench.after("10ms").fault("header").unplug()
    with pytest.raises(BackendError) as gone:
        bench.advance("20ms")
    assert gone.value.errno == errno.ENODEV
    assert "No such device (ENODEV)\n    fix    was the chip unplugged, or its driver removed?" in str(gone.value)
    assert refusal(lambda: bench.gpio.open("pinctrl-rp1")).startswith("chip pinctrl-rp1: isn't there")
    with pytest.raises(OutputError, match="led"):
        runtime.close()  # lines that are gone can't be made safe, which is told
    bench.fault("header").plug()
    assert bench.gpio.open("pinctrl-rp1").label == "pinctrl-rp1"


def test_a_sensor_of_the_kernels_loses_scans_sticks_and_goes_away() -> None:
    bench = new()
    troubles: list[str] = []
    bench.sensor("imu/accel_x").ramp(0.0, 100.0, over="100s")
    with bench.runtime(on_trouble=lambda error: troubles.append(str(error))) as runtime:
        seen = listen(runtime, IioEvent, IioKey(0, 0))
        bench.advance("100ms")
        bench.fault("imu").drop(3)
        bench.advance("100ms")
        assert (sum(event.lost for event in seen), len(seen)) == (3, 17)
        bench.fault("imu").stick()
        bench.advance("100ms")
        assert len({event.value for event in seen[-9:]}) == 1
        bench.fault("imu").heal()
        bench.fault("imu").unplug()
        bench.after("500ms").fault("imu").plug()
        bench.advance("3s")
        assert seen[-1].timestamp_ns > 3 * S, "it is tried again"
    assert any("ENODEV" in trouble for trouble in troubles)


def test_a_part_on_a_bus_doesnt_acknowledge_for_a_while() -> None:
    bench = new()
    with bench.runtime() as runtime:
        seen = listen(runtime, I2cEvent, I2cKey(0, 0))
        bench.advance("3s")
        bench.fault("climate").nack(lasting="2s")
        bench.advance("4s")
        bench.fault("one").hang(lasting="1500ms")
        bench.advance("3s")
    status = {event.timestamp_ns // S: event.status for event in seen}
    assert status[3] == 0
    assert {status[4], status[5]} == {errno.EREMOTEIO}
    assert status[7] == 0
    assert status[8] == errno.ETIMEDOUT
    assert status[10] == 0


def test_a_port_is_garbled_and_pulled() -> None:
    bench = new()
    with bench.runtime() as runtime:
        lines = listen(runtime, SerialEvent, SerialKey(0))
        bench.fault("gps").garble(0, 0x20)
        bench.feed("gps", "abc\n")
        bench.advance("1ms")
        bench.fault("gps").unplug()
        bench.feed("gps", "lost\n")
        bench.after("10ms").fault("gps").plug()
        bench.after("5s").feed("gps", "back\n")
        bench.advance("10s")
    assert [bytes(one.data[: one.length]) for one in lines] == [b"aBc", b"back"]


def test_each_thing_says_how_it_can_break() -> None:
    bench = new()
    told = {
        "limit": "drop(), drop_every(), bounce(), stick(), fail(), heal()",
        "led": "stick(), fail(), heal()",
        "fan": "fail(), heal()",
        "imu": "drop(), stick(), fail(), unplug(), plug(), heal()",
        "climate": "stick(), fail(), nack(), unplug(), plug(), heal()",
        "one": "hang(), heal()",
        "gps": "garble(), unplug(), plug()",
        "header": "unplug(), plug()",
    }
    for name, verbs in told.items():
        wrong = "hang" if name != "one" else "drop"
        assert refusal(getattr(bench.fault(name), wrong)) == (
            f"world.toml: `{name}` has no {wrong}(); what breaks of it is {verbs}"
        )
    assert "has nothing `gpz` that could break; it has encoder_a," in refusal(lambda: bench.after("1s").fault("gpz"))
