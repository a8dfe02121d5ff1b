"""From requirements to wheels, for another machine than this one.

`pip download --platform` chooses wheels for the board, but evaluates markers (`python_version < "3.13"`) for the
machine that it runs on. So pip is asked for wheels by name and version only, without dependencies; what these need is
read from their metadata, with the board's markers, until nothing is new.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from email.parser import HeaderParser
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from axiom_deploy.errors import DeployError, NoWheels
from axiom_deploy.observing import Observed

_OLDEST_GLIBC_MINOR: Final = 17  # manylinux2014
_ROUNDS: Final = 12
_NOTHING: Final = re.compile(
    r"(?:No matching distribution found for|Could not find a version that satisfies the requirement) (\S+)"
)


def platforms(seen: Observed) -> tuple[str, ...]:
    """The platform tags that the board can run, best first (PEP 600: glibc's version is the number)."""
    minor = int(seen.libc[1].split(".")[1])
    tags = [f"manylinux_2_{number}_{seen.machine}" for number in range(minor, _OLDEST_GLIBC_MINOR - 1, -1)]
    return (*tags, f"manylinux2014_{seen.machine}", f"linux_{seen.machine}")


def needs_of(wheel: Path, seen: Observed, extras: Iterable[str] = ()) -> tuple[Requirement, ...]:
    """What a wheel requires on the board."""
    with ZipFile(wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        told = HeaderParser().parsestr(archive.read(name).decode())
    found = []
    for text in told.get_all("Requires-Dist") or ():
        need = Requirement(text)
        wanted = [{**seen.markers, "extra": extra} for extra in (*extras, "")]
        if need.marker is None or any(need.marker.evaluate(one) for one in wanted):
            found.append(need)
    return tuple(found)


def close_over(seeds: Iterable[Requirement], seen: Observed, where: str, into: Path) -> None:
    """Download the wheels of `seeds`, and of all that they need, into a directory. Raises `NoWheels`, `DeployError`."""
    wanted: dict[str, tuple[SpecifierSet, frozenset[str]]] = {}
    had: dict[str, Path] = {}
    new = list(seeds)
    for _ in range(_ROUNDS):
        asked = []
        for need in new:
            name = canonicalize_name(need.name)
            before, extras = wanted.get(name, (SpecifierSet(), frozenset()))
            wanted[name] = (before & need.specifier, extras | need.extras)
            fits = name in had and parse_wheel_filename(had[name].name)[1] in wanted[name][0]
            if not fits or need.extras - extras:
                asked.append(name)
        if not asked:
            return
        for name in asked:
            if name in had:
                had.pop(name).unlink()
        words = [f"{name}{wanted[name][0]}" for name in dict.fromkeys(asked)]
        for wheel in _download(words, seen, where, into):
            had[canonicalize_name(parse_wheel_filename(wheel.name)[0])] = wheel
        new = [need for name in dict.fromkeys(asked) for need in needs_of(had[name], seen, wanted[name][1])]
    raise DeployError(
        ", ".join(sorted(wanted)), "want versions of one another that don't settle", "pin them in requirements.txt"
    )


def _download(words: list[str], seen: Observed, where: str, into: Path) -> list[Path]:
    python = ".".join(map(str, seen.python[:2]))
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
             "--only-binary=:all:", "--dest", scratch, "--implementation", "cp", "--python-version", python,
             *(word for tag in platforms(seen) for word in ("--platform", tag)), *words],
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise _told(done.stderr, seen, where)
        return [path.rename(into / path.name) for path in sorted(Path(scratch).iterdir())]


def _told(said: str, seen: Observed, where: str) -> DeployError:
    missing = _NOTHING.search(said)
    what = f"Python {seen.python[0]}.{seen.python[1]} on {seen.machine} with glibc {seen.libc[1]}"
    if missing is None:
        last = "\n".join(said.strip().splitlines()[-6:])
        return DeployError("the wheelhouse", f"pip can't download for {what}:\n{last}", "is this laptop online?")
    if seen.machine not in ("aarch64", "x86_64"):
        fix = "axiom_hw is made for 64-bit systems: install the 64-bit Raspberry Pi OS on it"
    else:
        fix = "choose a version that has one, in requirements.txt; or is this laptop offline?"
    return NoWheels(where, f"{missing[1]} has no wheel for {what}", fix)
