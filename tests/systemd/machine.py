"""A machine whose process 1 is systemd: this one's files and kernel, in namespaces, with nothing else running."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
_LIMIT_S: Final = 120
_TARGET: Final = """
[Unit]
Requires=systemd-journald.service test.service
After=systemd-journald.service
"""
_SERVICE: Final = """
[Unit]
After=systemd-journald.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/bash /tmp/out/script.sh
StandardOutput=file:/tmp/out/said
StandardError=file:/tmp/out/said
ExecStopPost=/bin/systemctl --no-block exit
"""


def why_not() -> str:
    """Why there can be no such machine here; nothing where there can."""
    if os.geteuid() != 0:
        return "it takes root"
    if any(ROOT.is_relative_to(hidden) for hidden in ("/tmp", "/var/tmp", "/home", "/root")):  # PrivateTmp, ProtectHome
        return f"services don't see {ROOT}: take a checkout elsewhere, such as /opt"
    for tool in ("/lib/systemd/systemd", "unshare", "systemctl"):
        if shutil.which(tool) is None:
            return f"{tool} isn't installed"
    return "" if python() else "no Python here that everybody may run has the packages of this one"


def python() -> str:
    """An interpreter that any user may run: this one, or the system's of the same version. Empty where none is."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for found in (os.path.realpath(sys.executable), f"/usr/bin/python{version}"):
        if Path(found).exists() and _is_open(Path(found)) and _is_open(ROOT):
            return found
    return ""


def run(directory: Path, units: dict[str, str], apps: dict[str, str], script: str) -> str:
    """Boot, run a script as root, power off; what the script said. `/tmp/out` is `directory/out`, `/opt/axiom-test` has
    the apps."""
    for name, files in (("units", units), ("apps", apps), ("out", {"script.sh": script})):
        (directory / name).mkdir()
        for file, text in files.items():
            (directory / name / file).write_text(text)
    (directory / "units/test.target").write_text(_TARGET)
    (directory / "units/test.service").write_text(_SERVICE)
    seen = dict.fromkeys(str(path) for path in (ROOT, Path(sys.prefix)) if _device(path) != _device(Path("/")))
    command = [
        "unshare", "--pid", "--fork", "--mount", "--ipc", "--uts", "--cgroup", "--kill-child=KILL", "--mount-proc",
        "bash", str(HERE / "start.sh"), str(directory), *seen,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    said = directory / "out/said"
    assert said.exists(), f"systemd didn't start: {done.stdout}{done.stderr}"
    return said.read_text()


def paths() -> str:
    """PYTHONPATH of the services: this checkout, and this environment's packages."""
    return ":".join((str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))))


def _is_open(path: Path) -> bool:
    return all(one.stat().st_mode & stat.S_IXOTH for one in (path, *path.parents))


def _device(path: Path) -> int:
    return path.stat().st_dev
