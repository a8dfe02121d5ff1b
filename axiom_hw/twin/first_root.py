"""What a boot adds to the first root that was built: the first process, the agent, and what both are told by files."""

from __future__ import annotations

import importlib.util
import marshal
import sys
from pathlib import Path
from typing import Final

from axiom_hw.twin.archive import Archive

_HERE: Final = Path(__file__).parent


def added(root: str, *, frozen: bool = False) -> bytes:
    """What a boot adds to the first root: the agent and what is told by files.

    Where this machine's files are `frozen`, all of them may be kept in memory once they were read.
    """
    archive = Archive()
    archive.add("init", (_HERE / "files/init.sh").read_bytes(), 0o755)
    archive.add("boot/root", root.encode())
    archive.add("boot/python", sys.executable.encode())
    archive.add("boot/cache", b"loose" if frozen else b"none")
    archive.add("boot/installed", "".join(f"{path}\n" for path in installed()).encode())
    archive.add("agent/system/axiom-twin.service", (_HERE / "files/axiom-twin.service").read_bytes())
    archive.add(
        "agent/system/multi-user.target.wants/axiom-twin.service", b"/run/systemd/system/axiom-twin.service", link=True
    )
    _add_agent(archive)
    return archive.to_bytes()


def installed() -> list[Path]:
    """Where this machine keeps what was installed and nobody edits: the system, and Python with its packages."""
    found = {Path(path).resolve() for path in ("/usr", sys.prefix, sys.base_prefix)} - {Path("/")}
    found = {path for path in found if not set(str(path)) & set(":,\\ \n")}  # which mean something to mount
    return sorted(path for path in found if not any(path.is_relative_to(other) for other in found - {path}))


def _add_agent(archive: Archive) -> None:
    """Its sources and, compiled by this Python, what the same Python reads faster in the guest."""
    archive.add("agent/agent/__main__.py", (_HERE / "guest/__main__.py").read_bytes())
    for package in ("axiom_hw", "axiom_hw/twin"):
        archive.add(f"agent/agent/{package}/__init__.py", b"")
    for file in sorted((_HERE / "guest").glob("*.py")):
        source = file.read_bytes()
        path = f"axiom_hw/twin/guest/{file.name}"
        archive.add(f"agent/agent/{path}", source)
        code = compile(source, f"/run/axiom-twin/agent/{path}", "exec", dont_inherit=True)
        unchecked = (1).to_bytes(4, "little")  # PEP 552: by the hash of the source, which nobody compares
        compiled = importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source) + marshal.dumps(code)
        archive.add(f"agent/agent/{importlib.util.cache_from_source(path)}", compiled)
