"""Random watchers on random streams do what the model does, on each engine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axiom_hw.board.watch import Comparison, Condition, Watch
from axiom_hw.board.watch_field import Number, check_watch, number_of
from axiom_hw.board.watch_orders import Setting
from axiom_hw.errors import SpecError
from axiom_hw.events import ctx_of
from axiom_hw.watch.state import Listed
from tests.bpf.engines import CODES, ENGINES
from tests.thorough import tries
from tests.watch.model import Model, signed
from tests.watch.running import OTHER, RING, Running

pytestmark = pytest.mark.thorough
# Fields of each width, with and without a sign.
FIELDS = {"iio/x/y": ("micro", "value", "scale", "timestamp_ns"), "scan/x": ("micro[7]", "value[3]", "count"),
          "serial/x": ("data[95]", "data[0]", "lost")}  # fmt: skip
FAR = (1 << 63, (1 << 63) - 1, 1 << 31, (1 << 31) - 1, 1 << 32, 255, 1, 0)


@st.composite
def conditions(draw: st.DrawFn, watch: Watch) -> Watch:
    """A watcher whose condition can come true and end."""
    test = draw(st.sampled_from(Comparison))
    plain = number_of(watch)
    mask = draw(st.none() | st.integers(1, (1 << 8 * plain.scalar.size) - 1))
    number = number_of(replace(watch, condition=Condition(test, 0, mask)))
    near = st.integers(max(number.low, -40), min(number.high, 40))
    limit = draw(near | st.integers(number.low, number.high))
    if test is Comparison.CHANGED_PERCENT:
        limit = draw(st.integers(1, 300) | st.integers(1, 1_000_000))
    level = test.is_level and test is not Comparison.NOT_EQUAL
    hysteresis = draw(st.integers(0, 20) | st.integers(0, number.high - number.low)) if level else 0
    made = replace(watch, condition=Condition(test, limit, mask, hysteresis))
    for _ in range(2):
        try:
            check_watch(made)
        except SpecError:
            made = replace(made, condition=Condition(Comparison.CHANGED, 0, mask))
    return made


@st.composite
def watchers(draw: st.DrawFn, on: str) -> list[Listed]:
    found = []
    for index in range(draw(st.integers(1, 6))):
        bare = Watch(f"w{index}", on, draw(st.sampled_from(FIELDS[on])), Condition(Comparison.CHANGED))
        watch = draw(conditions(bare))
        interval_ns = draw(st.sampled_from((0, 0, 10, 25, 5_000_000_000)))
        stop = draw(st.sampled_from((None, None, 7)))
        level = watch.condition.test.is_level
        ends = level and draw(st.booleans())
        watch = replace(watch, interval_ns=interval_ns, stop=stop, ends=ends)
        found.append(
            Listed(
                draw(st.integers(0, (1 << 31) - 1)),
                watch,
                draw(st.sampled_from((RING, OTHER, None))),
                (Setting("gpio_set", (18, 1)),) if draw(st.booleans()) else (),
                (Setting("pwm_write", (0, 2, 60)),) if level and draw(st.booleans()) else (),
            )
        )
    return found


@st.composite
def streams(draw: st.DrawFn, on: str) -> list[bytes]:
    """Contexts; numbers are near the limits, near one another, or anything. Time goes on by small steps."""
    layout = ctx_of(on).layout
    assert layout is not None
    at, found = draw(st.integers(0, 100)), []
    for _ in range(draw(st.integers(1, 12))):
        ctx = bytearray(layout.size)
        for field in layout.fields:
            for element in range(field.count or 1):
                low, high = field.scalar.limits
                any_number = st.integers(max(low, -45), min(high, 45)) | st.sampled_from(
                    [n for far in FAR for n in (far, -far, far - 1) if low <= n <= high]
                )
                wanted = f"{field.name}[{element}]" if field.count else field.name
                number = draw(any_number) if wanted in FIELDS[on] else 0
                place = field.offset + element * field.scalar.size
                ctx[place : place + field.scalar.size] = number.to_bytes(field.scalar.size, "little", signed=low < 0)
        at += draw(st.integers(0, 15))
        ctx[0:8] = at.to_bytes(8, "little")
        found.append(bytes(ctx))
    return found


@pytest.mark.parametrize("engine", CODES)
@settings(
    deadline=None, max_examples=tries(12, 80), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_programs_do_what_the_model_does(engine: str, data: st.DataObject) -> None:
    on = data.draw(st.sampled_from(list(FIELDS)))
    listed = data.draw(watchers(on))
    running = Running(engine, on, listed)
    models = [Model(one) for one in listed]
    done = []
    for ctx in data.draw(streams(on)):
        for model in models:
            model.event(ctx, int.from_bytes(ctx[:8], "little"))
            done += model.done
            model.done.clear()
        running.event(ctx)
        for ring in (RING, OTHER):
            told = [event for model in models if model.listed.ring == ring for event in model.told]
            assert running.told(ring) == told
        for model in models:
            model.told.clear()
    # The order among watchers is that of the list; the first event settles those that don't hold before it.
    assert sorted(map(repr, running.done())) == sorted(map(repr, done))
    running.close()


@st.composite
def near_the_limits(draw: st.DrawFn, watch: Watch) -> list[int]:
    """Numbers where the condition begins, where it ends, and beside; each follows from the one before."""
    number, condition = number_of(watch), watch.condition
    limit, hysteresis = condition.limit, condition.hysteresis
    found = [draw(st.integers(number.low, number.high))]
    for _ in range(draw(st.integers(1, 8))):
        beside = draw(st.integers(-1, 1))
        if condition.test.is_level:
            at = limit + draw(st.sampled_from((-1, 0, 0, 1))) * hysteresis
        else:  # how far a change has to go, rounded up
            old = draw(st.sampled_from(found))
            at = old - draw(st.sampled_from((-1, 1))) * (-condition.limit * abs(old) // 100)
        found.append(min(max(at + beside, number.low), number.high))
    return found


@pytest.mark.parametrize("engine", ENGINES)
@settings(
    deadline=None, max_examples=tries(40, 300), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_limits_are_exact(engine: str, data: st.DataObject) -> None:
    on = "iio/x/y"
    field = data.draw(st.sampled_from(("micro", "value", "scale")))
    watch = data.draw(conditions(Watch("w", on, field, Condition(Comparison.CHANGED))))
    watch = replace(watch, condition=replace(watch.condition, mask=None), ends=watch.condition.test.is_level)
    try:
        check_watch(watch)
    except SpecError:  # it could be only with its mask
        return
    layout, number = ctx_of(on).layout, number_of(watch)
    assert layout is not None
    listed = Listed(0, watch, RING)
    running, model = Running(engine, on, [listed]), Model(listed)
    for time_ns, wanted in enumerate(data.draw(near_the_limits(watch)), 1):
        ctx = bytearray(layout.size)
        ctx[0:8] = time_ns.to_bytes(8, "little")
        end = number.offset + number.scalar.size
        ctx[number.offset : end] = wanted.to_bytes(number.scalar.size, "little", signed=number.signed)
        running.event(bytes(ctx))
        model.event(bytes(ctx), time_ns)
    assert running.told() == model.told
    running.close()


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=tries(50, 400), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_percents_are_exact(engine: str, data: st.DataObject) -> None:
    percent = data.draw(st.integers(1, 120) | st.integers(1, 1_000_000))
    watch = Watch(
        "w", "iio/x/y", data.draw(st.sampled_from(("micro", "value", "scale", "timestamp_ns"))),
        Condition(Comparison.CHANGED_PERCENT, percent),
    )  # fmt: skip
    number = number_of(watch)
    bits = data.draw(st.integers(1, 64))
    old = data.draw(st.integers(max(number.low, -(1 << bits)), min(number.high, 1 << bits)))
    running = Running(engine, "iio/x/y", [Listed(0, watch, RING)])
    running.event(_with(number, old))
    far = -(-percent * abs(old) // 100)
    beside = [old + way * (far + more) for way in (-1, 1) for more in (-1, 0, 1)]
    for new in (number.low, number.high, *beside):  # the first two are where 64 bits would run over
        if number.low <= new <= number.high:
            fires = new != old and abs(new - old) * 100 >= percent * abs(old)
            running.event(_with(number, new))
            assert [event.value for event in running.told()] == [signed(new)] * fires
            running.forget()  # it is compared with `old` each time
            running.event(_with(number, old))
    running.close()


def _with(number: Number, value: int) -> bytes:
    ctx = bytearray(48)
    end = number.offset + number.scalar.size
    ctx[number.offset : end] = value.to_bytes(number.scalar.size, "little", signed=number.signed)
    return bytes(ctx)


@pytest.mark.parametrize("percent", [1, 99, 101, 200, 300, 1_000, 999_999, 1_000_000])
@pytest.mark.parametrize("engine", ENGINES)
def test_percents_of_the_largest_numbers_dont_run_over(engine: str, percent: int) -> None:
    watch = Watch("w", "iio/x/y", "micro", Condition(Comparison.CHANGED_PERCENT, percent))
    number = number_of(watch)
    running = Running(engine, "iio/x/y", [Listed(0, watch, RING)])
    large = [sign * (1 << bits) + more for bits in range(40, 63) for sign in (1, -1) for more in (-1, 0, 12345)]
    for old in (number.low, number.high, *large):
        for new in (number.low, number.high, 0, -old if old != number.low else old):
            running.forget()
            running.event(_with(number, old))
            running.event(_with(number, new))
            fires = new != old and abs(new - old) * 100 >= percent * abs(old)
            assert [event.value for event in running.told()] == [new] * fires, (old, new)
    running.close()
