"""`python -m tests.arm [PYTEST ARGUMENT ...]`: every suite on its emulated board, or what you name on a Pi 5."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.arm.debian import ArmError
from tests.arm.emulated import REPOSITORY, emulated_python
from tests.arm.suites import SUITES, Suite, named


def main(arguments: list[str]) -> int:
    failed = 0
    for suite in [named(arguments)] if arguments else SUITES:
        try:
            python = emulated_python(suite.board)
        except ArmError as error:
            print(f"test-arm: {error}", file=sys.stderr)
            return 1
        print(f"{suite.board.name} ({suite.board.cpu}): {suite.about}", flush=True)
        began = time.monotonic()
        status = _pytest(str(python), suite)
        print(f"{suite.board.name}: {time.monotonic() - began:.0f} s", flush=True)
        failed += status != 0
    return 1 if failed else 0


def _pytest(python: str, suite: Suite) -> int:
    command = (python, "-m", "pytest", "-p", "no:cacheprovider", *suite.arguments)
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
