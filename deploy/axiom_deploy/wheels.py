"""The wheelhouse: every wheel that the board's Python needs, kept on the laptop by what was asked for."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from axiom_deploy.closing import close_over, needs_of, platforms
from axiom_deploy.observing import Observed
from axiom_deploy.own_wheel import own_wheel
from axiom_deploy.settings import REPOSITORY
from axiom_deploy.shared import sha256


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on the laptop. On the board it lies in a directory of its own, named by its content."""

    path: Path
    digest: str
    size: int

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def directory(self) -> str:
        return f"{self.digest}-{self.name}"


def cache_directory() -> Path:
    """Where built and downloaded wheels are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "axiom-hw/deploy"


def wheelhouse(seen: Observed, extra: tuple[str, ...], given: str, where: str) -> tuple[Wheel, ...]:
    """axiom_hw, what it needs on this board, what `extra` names, and pip to install them with, which Debian leaves out.

    What was downloaded once for the same requirements, Python and platform is taken again, without the network: so the
    same sources give the same release. Removing the cache directory asks for newer versions.
    """
    cache = cache_directory()
    own = Path(given) if given else own_wheel(REPOSITORY, cache)
    seeds = [*needs_of(own, seen), *(Requirement(text) for text in extra), Requirement("pip")]
    key = sha256(
        json.dumps([sorted(map(str, seeds)), platforms(seen), seen.python[:2], sorted(seen.markers.items())]).encode()
    )
    house = cache / "wheels" / key[:32]
    if not house.is_dir():
        house.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=house.parent))
        try:
            new = scratch / "new"
            new.mkdir()
            close_over([need for need in seeds if _applies(need, seen)], seen, where, new)
            if not house.is_dir():  # another deploy may have been quicker
                new.rename(house)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return tuple(_wheel(path) for path in (own, *sorted(house.glob("*.whl"))))


def lock_text(wheels: tuple[Wheel, ...], seen: Observed) -> str:
    """What the environment of a release is made of, and for which Python: the same text, the same environment."""
    told = {
        "python": f"{seen.executable} {seen.python[0]}.{seen.python[1]} {seen.machine}",
        "wheels": {wheel.name: wheel.digest for wheel in wheels},
    }
    return json.dumps(told, indent=1, sort_keys=True) + "\n"


def _applies(need: Requirement, seen: Observed) -> bool:
    return need.marker is None or need.marker.evaluate({**seen.markers, "extra": ""})


def _wheel(path: Path) -> Wheel:
    data = path.read_bytes()
    return Wheel(path, sha256(data), len(data))
