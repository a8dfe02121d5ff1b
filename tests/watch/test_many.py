"""Many watchers on one hook: few programs, each within what jumps and the proof can take."""

from __future__ import annotations

from axiom_hw.board.watch import Comparison, Condition, Order, Watch
from axiom_hw.board.watch_orders import Setting
from axiom_hw.bpf.verifier import verify
from axiom_hw.watch.emit import PROGRAM_WATCHERS, programs_of
from axiom_hw.watch.state import Listed
from tests.watch.running import RING

HOOK = "iio/imu/accel_x"
TURN_ALL = tuple(Setting("gpio_set", (line, 1)) for line in range(28))


def listed(count: int, settings: tuple[Setting, ...] = ()) -> list[Listed]:
    hot = Condition(Comparison.ABOVE, 30_000_000, hysteresis=1_000_000)
    orders = tuple(Order(f"line{n}", 1) for n in range(len(settings)))
    return [Listed(n, Watch(f"w{n}", HOOK, "micro", hot, orders=orders), RING, settings) for n in range(count)]


def test_watchers_of_a_hook_are_one_program() -> None:
    (one,) = programs_of(HOOK, listed(PROGRAM_WATCHERS))
    proved = verify(one.spec)
    assert (proved.spec.name, proved.spec.section) == ("watch_iio_imu_accel_x", HOOK)
    assert proved.visited_insns < 30 * PROGRAM_WATCHERS
    assert proved.worst_case_insns < 30 * PROGRAM_WATCHERS


def test_more_are_several() -> None:
    found = programs_of(HOOK, listed(PROGRAM_WATCHERS + 1))
    assert [(one.spec.name, len(one.watchers)) for one in found] == [
        ("watch_iio_imu_accel_x_1", PROGRAM_WATCHERS),
        ("watch_iio_imu_accel_x_2", 1),
    ]


def test_a_program_whose_jumps_would_be_too_far_is_halved() -> None:
    found = programs_of(HOOK, listed(PROGRAM_WATCHERS, TURN_ALL))
    names = [one.spec.name for one in found]
    assert names == [f"watch_iio_imu_accel_x_{n}" for n in range(1, len(found) + 1)]
    assert len(found) > 1
    assert [one.id for part in found for one in part.watchers] == list(range(PROGRAM_WATCHERS))
