"""The heartbeat in C: a program built by clang, and the application around it. In Python: demos/heartbeat.py.

python demos/heartbeat/heartbeat.py            # ten ticks of real time
python demos/heartbeat/heartbeat.py --mock     # the same in virtual time
"""

from pathlib import Path

import axiom_hw as hw

TICKS = 10


@hw.layout(size=16)
class Beat:
    """A record of the ring `beats`; `struct beat` in heartbeat.bpf.c."""

    timestamp_ns: hw.u64
    count: hw.u64


app = hw.App("heartbeat")
app.load(Path(__file__).with_name("heartbeat.bpf.o"))
ticks = app.array("ticks", hw.u64)
beats = app.ringbuf("beats", Beat)


def watch() -> None:
    for beat in beats:
        agrees = "agrees" if ticks[0] == beat.count else f"says {ticks[0]}"
        print(f"tick {beat.count:2}  ring counter {beat.count:2}, map counter {agrees}", flush=True)
        if beat.count == TICKS:
            return


if __name__ == "__main__":
    app.main(watch)
