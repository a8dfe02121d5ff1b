"""`make demo`: the heartbeat on a real clock, then the button on the mock bench. Ends by itself; names the others."""

import runpy
import sys
from pathlib import Path

DEMOS = (
    ("heartbeat", "--mock --real-time", "A heartbeat on a real 100 ms timer"),
    ("button", "--mock", "A button and an LED on the mock bench, in virtual time"),
)
HERE = Path(__file__).parent

for name, options, title in DEMOS:
    path = HERE / f"{name}.py"
    print(f"\n{title}  (axiom-hw demo {name} {options})\n", flush=True)
    sys.argv = [str(path), *options.split()]
    runpy.run_path(str(path), run_name="__main__")

shown = {name for name, _, _ in DEMOS}
others = sorted(path.stem for path in HERE.glob("[a-z]*.py") if path.stem not in shown)
print("\nMore, each as in axiom-hw demo climate; axiom-hw demo says what they show:")
print(f"  {', '.join(others)}")
