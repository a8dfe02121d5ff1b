"""The parts of a deploy that need no board: markers, bundles, config.txt, addresses, the plan of a switch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest
from axiom_deploy.access import overlay_lines, rules_text
from axiom_deploy.closing import needs_of, platforms
from axiom_deploy.observing import Observed, read_observed
from axiom_deploy.planning import _name
from axiom_deploy.settings import Settings, read_addresses, read_settings
from axiom_deploy.shared import agent, with_block, without_block

from axiom_hw.board import load_board

CONFIG = "dtparam=audio=on\n\n[cm5]\ndtoverlay=dwc2\n"


def board_seen(machine: str = "aarch64", python: tuple[int, int, int] = (3, 13, 5)) -> Observed:
    """What a fresh Pi 5 with trixie says."""
    short = ".".join(map(str, python[:2]))
    return read_observed({
        "python": ".".join(map(str, python)), "executable": "/usr/bin/python3", "machine": machine,
        "libc": ["glibc", "2.41"], "markers": {
            "os_name": "posix", "sys_platform": "linux", "platform_machine": machine, "python_version": short,
            "platform_python_implementation": "CPython", "platform_system": "Linux", "platform_release": "",
            "platform_version": "", "python_full_version": ".".join(map(str, python)),
            "implementation_name": "cpython", "implementation_version": ".".join(map(str, python)),
        },
        "model": "Raspberry Pi 5 Model B Rev 1.0", "compatible": ["raspberrypi,5-model-b", "brcm,bcm2712", ""],
        "free": 1 << 33, "uid": 1000, "home": "/home/pi", "systemd": True, "agent": "", "wheels": [],
        "releases": {}, "current": "",
        "trial": False, "active": "inactive", "sub": "dead", "command": "", "rules": "", "config": CONFIG,
        "has_config": True, "groups": ["gpio"], "reboot": [], "step": False, "holder": "", "texts": {},
    })  # fmt: skip


def test_markers_are_the_boards(tmp_path: Path) -> None:
    """The laptop has another Python and another processor: pip would take its own."""
    wheel = tmp_path / "one-1-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("one-1.dist-info/METADATA", (
            "Metadata-Version: 2.1\nName: one\nVersion: 1\n"
            "Requires-Dist: lgpio>=0.2.2; python_version < '3.13'\n"
            "Requires-Dist: llvmlite; platform_machine == 'aarch64'\n"
            "Requires-Dist: pyarrow; extra == 'parquet'\nRequires-Dist: rich>=13\n"
        ))  # fmt: skip
    trixie, bookworm = board_seen(), board_seen("armv7l", (3, 11, 2))
    assert [str(need.name) for need in needs_of(wheel, trixie)] == ["llvmlite", "rich"]
    assert [str(need.name) for need in needs_of(wheel, bookworm)] == ["lgpio", "rich"]
    assert [str(need.name) for need in needs_of(wheel, trixie, ("parquet",))] == ["llvmlite", "pyarrow", "rich"]
    assert platforms(trixie)[:2] == ("manylinux_2_41_aarch64", "manylinux_2_40_aarch64")
    assert platforms(trixie)[-3:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64")


@pytest.mark.parametrize("text", [CONFIG, CONFIG.rstrip("\n"), "", "[pi5]\n"])
def test_a_block_in_config_txt_comes_and_goes(text: str) -> None:
    one = with_block(text, "button", ["dtoverlay=pwm,pin=12,func=4"])
    assert one.endswith("[all]\ndtoverlay=pwm,pin=12,func=4\n# END axiom-hw button\n")  # whatever filter stood last
    assert with_block(one, "button", ["dtoverlay=pwm,pin=12,func=4"]) == one
    assert without_block(one, "button").rstrip("\n") == text.rstrip("\n")
    both = with_block(one, "other", ["dtparam=uart0=on"])
    assert without_block(both, "button") == with_block(without_block(one, "button"), "other", ["dtparam=uart0=on"])
    assert with_block(text, "button", []) == text


def test_lines_that_config_txt_has_already_are_left_out() -> None:
    bench, seen = load_board("rpi5-bench"), board_seen()
    assert overlay_lines("button", bench, seen) == ("dtoverlay=pwm,pin=12,func=4",)
    has = replace(seen, config=f"{CONFIG}[all]\ndtoverlay=pwm,pin=12,func=4\n")
    assert overlay_lines("button", bench, has) == ()
    elsewhere = replace(seen, config=f"{CONFIG}dtoverlay=pwm,pin=12,func=4\n")  # under [cm5]: not in force here
    assert overlay_lines("button", bench, elsewhere) == ("dtoverlay=pwm,pin=12,func=4",)
    ours = replace(seen, config=with_block(CONFIG, "button", ["dtoverlay=pwm,pin=12,func=4"]))
    assert overlay_lines("button", bench, ours) == ("dtoverlay=pwm,pin=12,func=4",)  # else a second run took it away
    assert overlay_lines("button", bench, replace(seen, config=None)) == ()


def test_rules_are_for_what_the_bench_has() -> None:
    text = rules_text("button", load_board("rpi5-bench"))
    assert 'SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"' in text
    assert 'SUBSYSTEM=="iio", KERNEL=="iio:device*", GROUP="gpio", MODE="0660"' in text
    assert "i2c" not in text
    assert rules_text("beat", None) == ""
    assert rules_text("beat", load_board("pc")) == ""


def test_releases_are_dated_and_in_order_whatever_the_clocks_say() -> None:
    class Bundle:
        digest = "0123456789abcdef"

    now = datetime(2026, 11, 23, 2, 58, 33, tzinfo=UTC)
    seen = board_seen()
    assert _name(seen, Bundle(), now) == "20261123T025833Z-01234567"  # type: ignore[arg-type]
    ahead = replace(seen, digests={"20270101T000000Z-aaaaaaaa": "x"})  # of a laptop whose clock is ahead
    assert _name(ahead, Bundle(), now) == "20270101T000001Z-01234567"  # type: ignore[arg-type]


def test_the_agent_is_the_same_bytes_each_time() -> None:
    assert agent() == agent()
    assert b"observe.py" not in agent()


def test_addresses_and_names() -> None:
    one, two = read_addresses("pi@raspberrypi.local, root@[fe80::1]:2222")
    assert (one.user, one.host, one.port) == ("pi", "raspberrypi.local", 0)
    assert (two.user, two.host, two.port) == ("root", "fe80::1", 2222)
    assert one.data({})["ssh_strict_host_key_checking"] == "yes"
    assert read_settings({"app": __file__}).name == "test-parts"
    assert read_settings({"name": "rover", "args": "--mock --real-time"}) == Settings(
        name="rover", args=("--mock", "--real-time")
    )  # fmt: skip
