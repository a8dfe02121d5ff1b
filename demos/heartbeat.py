"""A program on a 100 ms timer counts in a map and sends each tick through a ring. Wiring: none.

    python demos/heartbeat.py            # ten ticks of real time
    python demos/heartbeat.py --mock     # the same in virtual time

The same in C, built by clang: demos/heartbeat/heartbeat.py.
"""

import axiom_hw as hw

TICKS = 10


@hw.layout
class Beat:
    """A record of the ring `beats`."""

    timestamp_ns: hw.u64
    count: hw.u64


app = hw.App("heartbeat")
ticks = app.array("ticks", hw.u64)
beats = app.ringbuf("beats", Beat)


@app.on("timer/100ms")
def heartbeat(ctx: hw.TimerEvent) -> int:
    ticks[0] += 1
    with beats.reserve(Beat) as beat:
        if beat is None:
            return 1  # the ring is full, and counts that itself
        beat.timestamp_ns = ctx.timestamp_ns
        beat.count = ticks[0]
    print(f"tick {ticks[0]}")
    return 0


def watch() -> None:
    for beat in beats:
        agrees = "agrees" if ticks[0] == beat.count else f"says {ticks[0]}"
        print(f"tick {beat.count:2}  ring counter {beat.count:2}, map counter {agrees}", flush=True)
        if beat.count == TICKS:
            return


if __name__ == "__main__":
    app.main(watch)
