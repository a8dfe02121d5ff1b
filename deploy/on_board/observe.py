"""What is on the board, as one line of JSON; run by its Python as `python3 -c TEXT ROOT NAME`, and changes nothing.

Any Python from 3.6 on can run it: a version that is too old shall be told, not guessed from a syntax error.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import struct
import subprocess
import sys

LARGEST_TEXT = 1 << 16


def text(*parts: str) -> str:
    """A file's text; empty where it can't be read."""
    try:
        with open(os.path.join(*parts), errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def ask(*words: str) -> str:
    """What a command prints; empty where there is no such command."""
    try:
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20).stdout.decode()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def listed(*parts: str) -> "list[str]":
    """The names in a directory."""
    try:
        return sorted(os.listdir(os.path.join(*parts)))
    except OSError:
        return []


def digest(path: str) -> str:
    """SHA-256 of a file; empty where there is none."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def is_locked(*parts: str) -> bool:
    """Whether a process holds a lock. The file alone says nothing: who was killed left it."""
    try:
        with open(os.path.join(*parts)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def texts(release: str) -> "dict[str, str]":
    """The small files of a release that a person may want to compare, by their paths in it."""
    found = {}
    for folder, inner, names in os.walk(release):
        inner[:] = [one for one in inner if one not in ("venv", "__pycache__")]
        for name in names:
            path = os.path.join(folder, name)
            if os.path.getsize(path) <= LARGEST_TEXT and name not in ("requirements.txt", "sealed", "proven"):
                found[os.path.relpath(path, release)] = text(path)
    return found


def wheel_in(base: str, folder: str) -> str:
    """Where the wheel of a directory is when it has arrived: the directory alone says nothing."""
    return os.path.join(base, "wheels", folder, folder.partition("-")[2])


def space(path: str) -> int:
    """Bytes that are free where a path is, or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def machine() -> str:
    """The architecture of this Python: a 32-bit system may have a 64-bit kernel."""
    kernel = platform.machine()
    small = struct.calcsize("P") == 4
    return {"aarch64": "armv7l", "x86_64": "i686"}.get(kernel, kernel) if small else kernel


def main(root: str, name: str) -> None:
    """Print it."""
    # First: what a step changes that ends meanwhile is seen below, or the step is.
    step = is_locked(root, "run", f"axiom-{name}.step.lock")
    base = os.path.join(root, "opt/axiom", name)
    unit = f"axiom-{name}.service"
    show = dict(
        line.split("=", 1)
        for line in ask("systemctl", "show", unit, "--property=ActiveState,SubState,MainPID").splitlines()
        if "=" in line
    )
    try:
        current = os.path.basename(os.readlink(os.path.join(base, "current")))
    except OSError:
        current = ""
    held = f"axiom-{name}.deploy.lock"
    marks = {}
    for release in listed(base, "releases"):
        at = os.path.join(base, "releases", release)
        marks[release] = {"digest": text(at, "sealed"), "proven": os.path.exists(os.path.join(at, "proven"))}
    now = text(root, "proc/sys/kernel/random/boot_id") or text("/proc/sys/kernel/random/boot_id")
    reboot = json.loads(text(base, "reboot.json") or "{}")
    version = ".".join(map(str, sys.version_info[:3]))
    found = {
        "python": version,
        "executable": sys.executable,
        "machine": machine(),
        "libc": list(platform.libc_ver()),
        "markers": {
            "os_name": os.name, "sys_platform": sys.platform, "platform_machine": machine(),
            "platform_python_implementation": platform.python_implementation(), "platform_system": platform.system(),
            "platform_release": "", "platform_version": "", "python_version": ".".join(map(str, sys.version_info[:2])),
            "python_full_version": version, "implementation_name": sys.implementation.name,
            "implementation_version": version,
        },
        "model": text(root, "proc/device-tree/model").strip("\0\n"),
        "compatible": text(root, "proc/device-tree/compatible").split("\0"),
        "free": space(base),
        "uid": os.geteuid(),
        "home": os.getcwd(),
        "systemd": bool(ask("systemctl", "--version")),
        "agent": digest(os.path.join(base, "agent.pyz")),
        "wheels": [one for one in listed(base, "wheels") if os.path.exists(wheel_in(base, one))],
        "releases": marks,
        "current": current,
        "trial": bool(text(base, "trial.json")),
        "active": show.get("ActiveState", "unknown"),
        "sub": show.get("SubState", ""),
        "pid": int(show.get("MainPID") or 0),
        "command": text("/proc", show.get("MainPID") or "0", "cmdline").replace("\0", " ").strip(),
        "rules": text(root, f"etc/udev/rules.d/70-axiom-{name}.rules"),
        "config": text(root, "boot/firmware/config.txt"),
        "has_config": os.path.exists(os.path.join(root, "boot/firmware/config.txt")),
        "groups": [line.split(":")[0] for line in text(root, "etc/group").splitlines()],
        "reboot": reboot.get("lines", []) if reboot.get("boot_id") == now.strip() else [],
        "step": step,
        "texts": texts(os.path.join(base, "releases", current)) if current else {},
        "holder": text(root, "run", held) if is_locked(root, "run", held) else "",
    }  # fmt: skip
    print(json.dumps(found))


main(sys.argv[1], sys.argv[2])
