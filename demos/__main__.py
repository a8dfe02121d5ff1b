"""`make demo`: the heartbeat on a real clock, then the button on the mock bench. Ends by itself; names the others."""

import runpy
import sys
from pathlib import Path

DEMOS = (
    ("heartbeat.py", "A heartbeat on a real 100 ms timer"),
    ("button.py --mock", "A button and an LED on the mock bench, in virtual time"),
)
HERE = Path(__file__).parent

for command, title in DEMOS:
    script, *options = command.split()
    path = HERE / script
    print(f"\n{title}  (axiom-hw run demos/{command})\n", flush=True)
    sys.argv = [str(path), *options]
    runpy.run_path(str(path), run_name="__main__")

shown = {command.split()[0] for command, _ in DEMOS}
others = sorted(path.stem for path in HERE.glob("[a-z]*.py") if path.name not in shown)
print("\nMore, each as in axiom-hw run demos/climate.py --mock; demos/README.md says what they show:")
print(f"  {', '.join(others)}")
