"""The same on a real systemd, as the user pi with sudo, in the twin: the unit's sandbox, groups, udev, real lines."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
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

    def __init__(self, port: int, key: str, tree: Path, source: Path, wheel: Path, cache: Path) -> None:
        self.tree, self.source, self.port, self.key = tree, source, port, key
        self.twin = self._boot()
        self.host = f"pi@127.0.0.1:{port}"
        known = "".join(f"[127.0.0.1]:{port} {key}\n" for key in self.twin.host_keys)
        (tree / "known_hosts").write_text(known)
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"},
            "HOST": self.host, "KEY": str(tree / "key"), "KNOWN_HOSTS": str(tree / "known_hosts"),
            "WHEEL": str(wheel), "XDG_CACHE_HOME": str(cache), "FORCE": "1", "PYTHONPATH": str(source),
        }  # fmt: skip

    def __enter__(self) -> Pi:
        return self

    def __exit__(self, *_: object) -> None:
        self.twin.cut()

    def _boot(self) -> Twin:
        return Twin.boot(
            root="debian", ssh=self.port, authorized_key=self.key, disk=self.tree / "card.qcow2", timeout_s=LIMIT_S,
            say=print,
        )  # fmt: skip

    def cut_power(self) -> None:
        """And switch it on again. What the board hadn't written to its card is gone."""
        self.twin.cut()
        self.twin = self._boot()

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(self.source / "deploy"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, env={**self.environment, **more}, cwd=self.source,
        )  # fmt: skip

    def run(self, *words: str, **more: str) -> Said:
        process = self.start(*words, **more)
        text, _ = process.communicate(timeout=LIMIT_S)
        print(text)
        return Said(process.returncode, text)

    def shell(self, text: str) -> str:
        return self.twin.run(["sh", "-c", text], timeout=LIMIT_S).stdout

    def wait(self, condition: str) -> None:
        """Until a command of the board's shell succeeds."""
        end = time.monotonic() + LIMIT_S
        while self.twin.run(["sh", "-c", condition], timeout=LIMIT_S).returncode:
            assert time.monotonic() < end, condition
            time.sleep(0.3)

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
    with Pi(port, key, tree, source, wheel, cache) as made:
        yield made


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
    journal = pi.shell("journalctl --no-pager -o cat -u axiom-button")
    assert "button pressed" in journal
    assert "without servo" not in journal, "the unit's sandbox lets it to the kernel's PWM"

    second = pi.run(APP=str(demo))
    assert second.text.endswith("; 0 changes\n"), second.text

    good = demo.read_text()
    bad = apps.crashing(folder).rename(demo)
    demo.write_text(bad.read_text().replace('"beat"', '"button"'))
    rolled = pi.run(APP=str(demo))
    assert rolled.status == 1
    assert "the supply of this bench is off" in rolled.text
    assert "failed its health gate, and was taken back" in rolled.text
    assert pi.shell("systemctl is-active axiom-button").strip() == "active"

    if os.environ.get("POWER_CUT", "1") == "1":
        _cut_in_the_switch(pi, demo, good)

    gone = pi.run("uninstall", NAME="button")
    assert gone.text == f"{pi.host}: button is gone, and nothing of it is left\n"
    assert pi.shell("systemctl is-active axiom-button").strip() == "inactive"
    assert {line for line in pi.tree_of() ^ before if _counts(line)} == set()


def _cut_in_the_switch(pi: Pi, demo: Path, good: str) -> None:
    """The power goes while nobody has proven the new release: the old one runs behind it."""
    demo.write_text(f"{good}# the same, but a release of its own\n")
    old = pi.shell("readlink /opt/axiom/button/current")
    process = pi.start(APP=str(demo), SETTLE="60")
    pi.wait("test -e /opt/axiom/button/trial.json && ! systemctl is-active axiom-button --quiet")
    pi.wait("systemctl is-active axiom-button --quiet")  # the new one, which nobody has proven yet
    assert pi.shell("readlink /opt/axiom/button/current") != old
    pi.cut_power()
    process.kill()
    process.communicate()
    pi.wait("systemctl is-active axiom-button --quiet")
    assert pi.shell("readlink /opt/axiom/button/current") == old
    assert "was cut off before it was proven: back to" in pi.shell("journalctl --no-pager -o cat -u axiom-button")


def _counts(line: str) -> bool:
    """What the system itself writes meanwhile, whoever is there."""
    own = ("/var/lib/systemd/", "/run/", "/home/pi/.", "/var/cache/ldconfig", "/var/lib/sudo", "/root/",
           "-systemd-logind.service-")  # fmt: skip
    made_by_systemd = line.endswith(("/var/lib/private ", "/var/cache/private "))  # for the first dynamic user
    return not made_by_systemd and not any(part in line for part in own)
