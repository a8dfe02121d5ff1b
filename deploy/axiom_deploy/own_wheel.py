"""The wheel of axiom_hw itself, as this repository has it: built once for each content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from axiom_deploy.errors import DeployError

_PARTS: Final = ("pyproject.toml", "README.md", "LICENSE", "boards", "demos")
_PACKAGE: Final = "axiom_hw"
_EPOCH: Final = "1577836800"  # one time stamp for all files in it, so that the same content is the same bytes


def own_wheel(repository: Path, cache: Path) -> Path:
    """Build it, or find it. Raises `DeployError`."""
    digest = _digest(repository)
    kept = cache / "own" / digest
    found = sorted(kept.glob("*.whl"))
    if found:
        return found[0]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        source, out = Path(scratch) / "source", Path(scratch) / "out"
        source.mkdir()
        for part in (*_PARTS, _PACKAGE):  # a copy: a build leaves directories behind
            path = repository / part
            if path.is_dir():
                shutil.copytree(path, source / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif path.exists():
                shutil.copy(path, source / part)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps",
             "--wheel-dir", str(out), str(source)],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
        )  # fmt: skip
        if done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-8:])
            raise DeployError(str(repository), f"its wheel can't be built:\n{last}", "is this laptop online?")
        try:
            out.rename(kept)
        except OSError:  # somebody else was sooner, with the same
            if not any(kept.glob("*.whl")):
                raise
    return next(kept.glob("*.whl"))


def _digest(repository: Path) -> str:
    whole = hashlib.sha256()
    for part in (*_PARTS, _PACKAGE):
        path = repository / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                whole.update(f"{file.relative_to(repository)}\0".encode())
                whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:32]
