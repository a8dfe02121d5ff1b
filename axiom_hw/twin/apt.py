"""Debian's packages, downloaded and unpacked into a directory: nothing is installed, and no root is needed.

The machine's own package lists are used where they have what is wanted. Where they are missing or older than the
mirror, apt fetches lists into a directory of ours.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_hw.errors import TwinError
from axiom_hw.twin.cache import Say
from axiom_hw.twin.tools import run_tool

SERIES: Final = "6.12"  # Debian 12 has it among its security updates, Debian 13 as its own kernel
_IMAGE: Final = re.compile(rf"^linux-image-({re.escape(SERIES)}\.\d+\+deb\d+)-amd64 ", re.MULTILINE)
_QUIET: Final = ("-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of Debian: `name` is a part of its packages' names ("6.12.117+deb12"), `version` theirs."""

    name: str
    version: str

    @property
    def release(self) -> str:
        """What `uname -r` says."""
        return f"{self.name}-amd64"

    @property
    def packages(self) -> tuple[str, ...]:
        """The image, what a module of it is built with, and its sources."""
        names = (
            f"linux-image-{self.release}", f"linux-headers-{self.release}", f"linux-headers-{self.name}-common",
            f"linux-kbuild-{self.name}", f"linux-source-{SERIES}",
        )  # fmt: skip
        return tuple(f"{name}={self.version}" for name in names)


class Apt:
    """apt of this machine. `home` is a directory for downloads and for lists of our own.

    Synchronization: one thread at a time.
    """

    def __init__(self, home: Path, say: Say) -> None:
        """Raises `TwinError` where there is no apt."""
        self._home = home
        self._say = say
        self._env = {**os.environ, "LC_ALL": "C"}
        self._own_lists = False
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise TwinError(
                    "the twin", f"is built from Debian's packages, and {tool} isn't on this machine",
                    "build it on Debian 12 or 13, or in a container of it: docker run -it debian:12",
                )  # fmt: skip

    def newest_kernel(self) -> Kernel:
        """The newest kernel of the series whose sources are there, too. Raises `TwinError`."""
        found = self._newest()
        if found is None and not self._own_lists:
            self._say("this machine's package lists have no such kernel: fetching lists")
            self._fetch_lists()
            found = self._newest()
        if found is None:
            raise TwinError(
                "apt", f"knows no package linux-image-{SERIES}.*-amd64 with its sources",
                "the sources of apt must be Debian's, 12 or 13, with security updates: /etc/apt/sources.list",
            )  # fmt: skip
        return found

    def download(self, *packages: str) -> list[Path]:
        """Their files, in that order; `name=version` asks for one version. Raises `TwinError`."""
        target = self._home / "archives"
        try:
            return self._download(target, packages)
        except TwinError:
            if self._own_lists:
                raise
            self._say("the mirror has other versions by now: fetching package lists")
            self._fetch_lists()
            return self._download(target, packages)

    def _download(self, target: Path, packages: tuple[str, ...]) -> list[Path]:
        files = []
        for package in packages:
            shutil.rmtree(target / package, ignore_errors=True)
            (target / package).mkdir(parents=True)
            run_tool("apt-get", *_QUIET, "download", package, env=self._env, cwd=target / package)
            files += list((target / package).glob("*.deb"))
        return files

    def _newest(self) -> Kernel | None:
        names = set(
            _IMAGE.findall(run_tool("apt-cache", "search", "--names-only", f"^linux-image-{SERIES}", env=self._env))
        )
        sources = self._versions(f"linux-source-{SERIES}")
        for name in sorted(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)], reverse=True):
            for version in self._versions(f"linux-image-{name}-amd64"):
                if version in sources:
                    return Kernel(name, version)
        return None

    def _versions(self, package: str) -> list[str]:
        rows = run_tool("apt-cache", "madison", package, env=self._env).splitlines()
        return [row.split("|")[1].strip() for row in rows if row.count("|") == 2]

    def _fetch_lists(self) -> None:
        """apt works on directories of its own from here on, with the machine's sources and keys."""
        self._own_lists = True
        apt = self._home / "apt"
        for part in ("state/lists/partial", "cache/archives/partial"):
            (apt / part).mkdir(parents=True, exist_ok=True)
        (apt / "own.conf").write_text(
            f'Dir::State::lists "{apt}/state/lists";\nDir::Cache "{apt}/cache";\nAPT::Sandbox::User "root";\n'
            "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n"
            "#clear APT::Update::Post-Invoke-Success;\n"
        )
        self._env["APT_CONFIG"] = str(apt / "own.conf")
        run_tool("apt-get", "update", env=self._env)


def unpack(package: Path, to: Path) -> None:
    """Unpack the files of a package. Raises `TwinError`."""
    run_tool("dpkg-deb", "-x", package, to)
