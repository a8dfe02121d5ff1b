"""`make demo`: the heartbeat on a real clock, then the button on the mock bench. Ends by itself."""

import runpy
import sys
from pathlib import Path

DEMOS = (
    ("heartbeat.py", "A heartbeat on a real 100 ms timer"),
    ("button.py --mock", "A button and an LED on the mock bench, in virtual time"),
)

for command, title in DEMOS:
    script, *options = command.split()
    path = Path(__file__).parent / script
    print(f"\n{title}  (axiom-hw run demos/{command})\n", flush=True)
    sys.argv = [str(path), *options]
    runpy.run_path(str(path), run_name="__main__")
