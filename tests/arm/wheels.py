"""What axiom_hw and its tests import, as aarch64 wheels in a directory."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from tests.arm.debian import python_of, run

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
ON_THE_HOST = ("mypy", "ruff")  # read sources; what they say doesn't depend on the processor
GLIBC_MINOR = 36  # of Debian 12: wheels for up to 2.36 run there
PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, GLIBC_MINOR + 1)))


def unpack_wheels(home: Path) -> None:
    """Make `home/site`, for PYTHONPATH. The versions are those of this environment. Takes 20 s and 100 MB of downloads.

    Raises `ArmError` with pip's words if something has no wheel for aarch64.
    """
    version = python_of(home).name.removeprefix("python")
    wanted = _requirements()
    pinned = sorted(f"{dist.name}=={dist.version}" for dist in distributions() if dist.name != "axiom-hw")
    site, pins = home / "site", home / "pins.txt"
    stamp = site / ".stamp"  # goes with what it vouches for
    recipe = "\n".join((version, *wanted, *pinned))
    if stamp.exists() and stamp.read_text() == recipe:
        return
    shutil.rmtree(site, ignore_errors=True)
    pins.write_text("\n".join(pinned))
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    target = ["--target", str(site), "--python-version", version, "--implementation", "cp", "--only-binary", ":all:"]
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--constraint", str(pins))
    run(*pip, *target, *platforms, *wanted)
    stamp.write_text(recipe)


def _requirements() -> list[str]:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    every = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    return [one for one in every if re.split(r"[^\w.-]", one, maxsplit=1)[0] not in ON_THE_HOST]
