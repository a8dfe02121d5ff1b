"""The tests of deploys: `make test-deploy` runs them. They want pyinfra and an sshd; plain `make test` has neither."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")  # before a fixture gives the tests their own
collect_ignore_glob = [] if os.environ.get("AXIOM_DEPLOY") == "1" else ["test_*.py"]

if os.environ.get("AXIOM_DEPLOY") == "1":
    os.environ.setdefault("AXIOM_TWIN_CACHE", str(CACHE / "axiom-hw/twin"))
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy"))

    from tests.deploy.rig import REPOSITORY, SSHD, Rig

    @pytest.fixture(scope="session")
    def cache() -> Path:
        """The laptop's own cache: what is downloaded once is downloaded once."""
        return CACHE

    @pytest.fixture(scope="session")
    def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The repository as it is when the tests begin."""
        copied = tmp_path_factory.mktemp("source")
        for name in ("axiom_hw", "boards", "demos", "deploy"):
            shutil.copytree(REPOSITORY / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, copied)
        return copied

    @pytest.fixture(scope="session")
    def wheel(source: Path, cache: Path) -> Path:
        """axiom_hw of that copy."""
        from axiom_deploy.own_wheel import own_wheel

        return own_wheel(source, cache / "axiom-hw/deploy")

    @pytest.fixture
    def rig(tmp_path: Path, source: Path, cache: Path, wheel: Path) -> Iterator[Rig]:
        """A board without anything on it."""
        if not Path(SSHD).exists():
            pytest.fail(f"there is no {SSHD}: sudo apt install openssh-server; `make test-deploy` does it as root")
        with Rig(tmp_path, source, wheel, cache) as made:
            yield made

    @pytest.fixture(scope="module")
    def board(tmp_path_factory: pytest.TempPathFactory, source: Path, cache: Path, wheel: Path) -> Iterator[Rig]:
        """A board that the tests of one file share, in their order."""
        with Rig(tmp_path_factory.mktemp("board"), source, wheel, cache) as made:
            yield made
