"""The same on a real systemd, as the user pi with sudo, in the twin: the unit's sandbox, groups, udev, real lines."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from axiom_hw.twin import Twin
from tests.deploy import apps
from tests.deploy.rig import REPOSITORY, Said

LIMIT_S: Final = 1200.0  # without KVM, beside other work
SEEN: Final = "find / -xdev -path /var/log -prune -o -path /tmp -prune -o -printf '%y %m %p %l\\n'"


class Pi:
    """The twin as a board, and a laptop in front of it."""

    def __init__(self, twin: Twin, tree: Path, source: Path, wheel: Path, cache: Path) -> None:
        self.twin, self.tree, self.source = twin, tree, source
        self.host = f"pi@127.0.0.1:{twin.about.ssh}"
        known = "".join(f"[127.0.0.1]:{twin.about.ssh} {key}\n" for key in twin.host_keys)
        (tree / "known_hosts").write_text(known)
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"},
            "HOST": self.host, "KEY": str(tree / "key"), "KNOWN_HOSTS": str(tree / "known_hosts"),
            "WHEEL": str(wheel), "XDG_CACHE_HOME": str(cache), "FORCE": "1", "PYTHONPATH": str(source),
        }  # fmt: skip

    def run(self, *words: str, **more: str) -> Said:
        done = subprocess.run(
            [sys.executable, str(self.source / "deploy"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, env={**self.environment, **more}, timeout=LIMIT_S, cwd=self.source,
        )  # fmt: skip
        print(done.stdout)
        return Said(done.returncode, done.stdout)

    def shell(self, text: str) -> str:
        return self.twin.run(["sh", "-c", text], timeout=LIMIT_S).stdout

    def tree_of(self) -> set[str]:
        return set(self.shell(SEEN).splitlines())


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory, source: Path, cache: Path, wheel: Path) -> Iterator[Pi]:
    tree = tmp_path_factory.mktemp("twin")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(tree / "key")], check=True)
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        port = spare.getsockname()[1]
    key = (tree / "key.pub").read_text()
    with Twin.boot(root="debian", ssh=port, authorized_key=key, timeout_s=LIMIT_S, say=print) as twin:
        yield Pi(twin, tree, source, wheel, cache)


def test_a_real_systemd_and_real_lines(pi: Pi, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("project")
    demo = folder / "button.py"
    demo.write_text((REPOSITORY / "demos/button.py").read_text())
    before = pi.tree_of()

    first = pi.run(APP=str(demo))
    assert first.status == 0, first.text + pi.shell("journalctl --no-pager -u axiom-button | tail -40")
    assert first.text.endswith("of button runs\n")
    assert pi.shell("systemctl is-active axiom-button").strip() == "active"
    uid = int(pi.shell("ps -o uid= -p $(systemctl show -P MainPID axiom-button)"))
    assert 61184 <= uid <= 65519  # nobody's account: one that systemd makes (systemd.exec, DynamicUser=)
    for level in (1, 0):  # active low: released, pressed
        pi.twin.world.pull(17, level)
        pi.shell("sleep 1")  # longer than its debounce, in the twin's time
    assert "button pressed" in pi.shell("journalctl --no-pager -o cat -u axiom-button")

    second = pi.run(APP=str(demo))
    assert second.text.endswith("; 0 changes\n"), second.text

    bad = apps.crashing(folder).rename(demo)
    text = bad.read_text().replace('"beat"', '"button"')
    demo.write_text(text)
    rolled = pi.run(APP=str(demo))
    assert rolled.status == 1
    assert "the supply of this bench is off" in rolled.text
    assert "failed its health gate, and was taken back" in rolled.text
    assert pi.shell("systemctl is-active axiom-button").strip() == "active"

    gone = pi.run("uninstall", NAME="button")
    assert gone.text == f"{pi.host}: button is gone, and nothing of it is left\n"
    assert pi.shell("systemctl is-active axiom-button").strip() == "inactive"
    assert {line for line in pi.tree_of() ^ before if _counts(line)} == set()


def _counts(line: str) -> bool:
    """What the system itself writes meanwhile, whoever is there."""
    own = ("/var/lib/systemd/", "/run/", "/home/pi/.", "/var/cache/ldconfig", "/var/lib/sudo", "/root/")
    made_by_systemd = line.endswith(("/var/lib/private ", "/var/cache/private "))  # for the first dynamic user
    return not made_by_systemd and not any(part in line for part in own)
