"""A newcomer's walk: README and then the tutorial, typed in a fresh clone, with a stop watch. `make test-walk` runs it.

`make setup` is typed, too, so it needs the package index. It tells the seconds until the first LED had blinked, and
until the first program of one's own had run, as the machine needs them; reading and typing come on top.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pages import Command, Done, Save, Where, broken_promise, run, steps

ROOT = Path(__file__).parents[1]
TUTORIAL = sorted((ROOT / "docs/tutorial").glob("[0-9]*.md"))
TYPED = frozenset({Where.HERE, Where.INSTALL})
TIMEOUT_S = 900.0


def main() -> int:
    """0 when all of it did what the pages say."""
    with TemporaryDirectory(prefix="axiom-walk-") as directory:
        clone = Path(directory) / "axiom_hw"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        readme = _walk("README", steps(ROOT / "README.md"), clone)
        tutorial = _walk("tutorial", [one for page in TUTORIAL for one in steps(page)], clone)
    broken = [text for done in (*readme, *tutorial) if (text := broken_promise(done))]
    print("\n".join(broken))
    first_led, first_program = (_until(readme, text) for text in ("demo blink", "run blink.py"))
    print(f"to the first LED {first_led:.0f} s, to the first program of one's own {first_program:.0f} s")
    print(f"{len(readme) + len(tutorial) - len(broken)} passed, {len(broken)} failed")
    return 1 if broken else 0


def _walk(name: str, todo: list[Save | Command], clone: Path) -> list[Done]:
    done = run(todo, clone, TYPED, Path("/usr/bin"), TIMEOUT_S)
    for one in done:
        print(
            f"{name:<9} {one.ended_s or 0:6.1f} s  {'!' if broken_promise(one) else ' '} {one.command.text}", flush=True
        )
    return done


def _until(done: list[Done], command: str) -> float:
    return next(one.ended_s or 0 for one in done if command in one.command.text)


if __name__ == "__main__":
    sys.exit(main())
