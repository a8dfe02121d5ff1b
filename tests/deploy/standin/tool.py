"""`systemctl`, `journalctl` and `udevadm` of a throw-away tree: the first asks the manager, the second its journal."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path


def systemctl(tree: Path, words: list[str]) -> int:
    """The verbs that a deploy uses."""
    if words == ["--version"]:
        print("systemd 252 (a stand-in)")
        return 0
    asked = [word.partition(",")[0] for word in words if not word.startswith("--")]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(tree / "standin.sock"))
        with link.makefile("rw") as stream:
            stream.write(json.dumps(asked) + "\n")
            stream.flush()
            answer = json.loads(stream.readline())
    for key, value in answer.get("show", {}).items():
        print(f"{key}={value}")
    return int(answer["status"])


def journalctl(tree: Path, words: list[str]) -> int:
    """The last lines of a unit, and those to come."""
    unit, lines = words[words.index("--unit") + 1], words[words.index("--lines") + 1]
    follow = ["--follow"] if "--follow" in words else []
    return subprocess.run(["tail", *follow, "--lines", lines, str(tree / "journal" / unit)], check=False).returncode


def main(tool: str, tree: Path, words: list[str]) -> int:
    """Run a tool."""
    match tool:
        case "systemctl":
            return systemctl(tree, words)
        case "journalctl":
            return journalctl(tree, words)
        case _:
            with open(tree / "udevadm.log", "a") as log:
                log.write(" ".join(words) + "\n")
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
