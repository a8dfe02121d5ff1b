"""From a bundle that arrived to a release that could run: unpacked, its environment made, verified, sealed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

from place import Place, Trouble, remove, write_whole

HERE: Final = "/@RELEASE@"  # stands in the unit for the directory of the release
_PIP_S: Final = 1800  # a Zero 2 W with a slow card


def build(place: Place, ident: str, digest: str) -> None:
    """Make the release `ident` of `incoming.tar`, whose SHA-256 is `digest`. Raises `Trouble`; leaves nothing half."""
    bundle = place.base / "incoming.tar"
    release = place.release(ident)
    for left in place.all():
        if left not in place.sealed():
            remove(place.release(left))  # of a deploy that was cut off
    try:
        data = bundle.read_bytes()
    except OSError:
        raise Trouble(f"{bundle} isn't there: the release didn't arrive") from None
    if hashlib.sha256(data).hexdigest() != digest:
        remove(bundle)
        raise Trouble(f"{bundle} arrived damaged; deploy again")
    release.mkdir(parents=True)
    try:
        _unpack(data, release)
        unit = release / place.unit
        unit.write_text(unit.read_text().replace(HERE, str(release)))
        _environment(place, release)
        _verify(release)
        os.sync()
        write_whole(release / "sealed", digest.encode())
    except OSError as error:
        remove(release)
        raise Trouble(f"{error.filename or release}: {error.strerror}") from None
    except BaseException:
        remove(release)
        raise
    remove(bundle)


def _unpack(data: bytes, release: Path) -> None:
    """Plain files below the release, and nothing else. (tarfile's own filter came with 3.11.4; bookworm has 3.11.2.)"""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for entry in tar:
            path = (release / entry.name).resolve()
            content = tar.extractfile(entry) if entry.isfile() else None
            if content is None or not path.is_relative_to(release.resolve()):
                raise Trouble(f"the release holds {entry.name}, which is no file of its own")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


def _environment(place: Place, release: Path) -> None:
    """The virtual environment; where another release has one of the same wheels, its files are linked, not copied.

    Each release keeps an environment of its own: removing one takes nothing from another.
    """
    venv = release / "venv"
    wanted = (release / "lock.json").read_text()
    for ident in reversed(place.sealed()):
        other = place.release(ident)
        if (other / "lock.json").read_text() == wanted and (other / "venv").is_dir():
            shutil.copytree(other / "venv", venv, symlinks=True, copy_function=_link)
            _rename(venv, str(other), str(release))
            return
    _run([sys.executable, "-m", "venv", "--without-pip", str(venv)], "making the virtual environment failed")
    wheels = {
        wheel: place.wheels / f"{digest}-{wheel}" / wheel for wheel, digest in json.loads(wanted)["wheels"].items()
    }
    missing = [name for name, path in wheels.items() if not path.is_file()]
    if missing:
        raise Trouble(f"{', '.join(missing)} didn't arrive; deploy again")
    pip = next(path for name, path in wheels.items() if name.startswith("pip-"))
    listing = release / "requirements.txt"
    listing.write_text("".join(
        f"{name.split('-')[0]} @ {path.as_uri()} --hash=sha256:{json.loads(wanted)['wheels'][name]}\n"
        for name, path in wheels.items() if path != pip
    ))  # fmt: skip
    _run(
        [str(venv / "bin/python"), str(pip / "pip"), "--disable-pip-version-check", "install", "--no-index",
         "--no-deps", "--require-hashes", "--no-cache-dir", "--no-compile", "--quiet", "--requirement", str(listing)],
        "installing the wheels failed",
    )  # fmt: skip
    _compile(venv)


def _compile(venv: Path) -> None:
    """Byte code of axiom_hw; that of what it imports comes by verifying. All of it would take a small board minutes."""
    packages = [str(path) for path in (venv / "lib").glob("python3.*/site-packages/axiom_hw")]
    _run([str(venv / "bin/python"), "-m", "compileall", "-q", *packages], "compiling axiom_hw failed")


def _verify(release: Path) -> None:
    """The same verifier as on the laptop, once more: with the board's Python, its LLVM, and the files that arrived."""
    manifest = json.loads((release / "manifest.json").read_text())
    board = manifest["board"].replace(HERE, str(release))
    words = [str(release / "venv/bin/python"), "-m", "axiom_hw", "verify", str(release / "app" / manifest["app"])]
    _run([*words, *(["--board", board] if board else [])], "the verifier refuses a program on this board", cwd=release)


def _run(words: list[str], problem: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_PIP_S, check=False, stdin=subprocess.DEVNULL, cwd=cwd,
            errors="replace", env={**os.environ, "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": ""},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Trouble(f"{problem}: it took more than {_PIP_S} s") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise Trouble("\n".join([f"{problem}:", *(f"  | {line}" for line in said[-20:])]))


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


def _rename(venv: Path, old: str, new: str) -> None:
    """Scripts and pyvenv.cfg name the release that they lie in. A new file each: the old one is another release's."""
    for path in (venv / "pyvenv.cfg", *(venv / "bin").iterdir()):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if old.encode() in data:
            mode = path.stat().st_mode & 0o7777
            write_whole(path, data.replace(old.encode(), new.encode()), mode)
