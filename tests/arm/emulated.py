"""A `python` that is aarch64 CPython on an emulated board."""

from __future__ import annotations

import shutil
from pathlib import Path
from shlex import quote

from tests.arm.boards import ArmBoard
from tests.arm.debian import python_of, unpack_debian
from tests.arm.wheels import unpack_wheels

REPOSITORY = Path(__file__).parents[2]
HOME = REPOSITORY / "build/arm"

# `-0` makes this script sys.executable, so that Python starts children through the emulator too.
# `-L` answers every absolute path that exists below the board's directory from there, so /proc/cpuinfo is the board's.
SCRIPT = """\
#!/bin/sh
# aarch64 CPython on an emulated {name}
unset PYTHONDONTWRITEBYTECODE
export PYTHONHOME={home}/root/usr PYTHONPATH={home}/site:{repository} PYTHONPYCACHEPREFIX={home}/pycache
export AXIOM_ARM_BOARD={name}
exec {home}/qemu -0 {script} -L {board} -cpu {cpu} -p {page_bytes} {python} "$@"
"""


def emulated_python(board: ArmBoard) -> Path:
    """The path of the board's `python`; fetches and unpacks what is missing below build/arm. Raises `ArmError`."""
    unpack_debian(HOME)
    unpack_wheels(HOME)
    top = HOME / board.name
    shutil.rmtree(top, ignore_errors=True)
    (top / "proc").mkdir(parents=True)
    (top / "proc/cpuinfo").write_text(board.cpuinfo())
    for part in (HOME / "root").iterdir():
        (top / part.name).symlink_to(part)
    script = top / "python"
    script.write_text(
        SCRIPT.format(
            name=board.name,
            home=quote(str(HOME)),
            repository=quote(str(REPOSITORY)),
            script=quote(str(script)),
            board=quote(str(top)),
            cpu=board.cpu,
            page_bytes=board.page_bytes,
            python=quote(str(python_of(HOME))),
        )
    )
    script.chmod(0o755)
    return script
