"""axiom-hw twin, as far as it goes without QEMU: where things stand, what is missing, what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from axiom_hw.twin import needs
from tests.cli.conftest import Result

Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AXIOM_TWIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.fixture
def bare(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing, and a user who isn't root."""
    monkeypatch.setattr(
        needs.shutil, "which", lambda name, path=None: "/usr/bin/apt-get" if name == "apt-get" else None
    )
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("bare")
def test_alone_it_says_where_things_stand(cli: Cli, places: Path) -> None:
    result = cli("twin")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "missing  qemu-system-x86_64: the machine itself (package qemu-system-x86)"
    assert "         `axiom-hw twin setup` installs what is missing" in lines
    assert lines[-3:] == [
        f"cache    {places / 'cache'}: nothing",
        "kernel   not built yet: the first boot does it, or `axiom-hw twin build`",
        "debian   not built yet: the first boot with --root debian does",
    ]


@pytest.mark.usefixtures("bare")
def test_setup_without_root_says_the_whole_line(cli: Cli) -> None:
    result = cli("twin", "setup")
    assert result.code == 1
    assert result.err == (
        "setup: installs packages, which takes root\n"
        "    fix    sudo apt-get install --yes --no-install-recommends e2fsprogs fakeroot gcc make mmdebstrap "
        "qemu-system-x86 qemu-utils uidmap xz-utils zstd libelf1\n"
    )


@pytest.mark.parametrize("words", [("pull", "GPIO17", "1"), ("value", "17"), ("read", "ttyAMA0"), ("off",)])
def test_the_world_of_no_twin_cant_be_moved(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli("twin", *words)
    assert result.code == 1
    assert result.err == "a twin called twin: isn't running\n    fix    in another terminal: axiom-hw twin boot\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run",), "axiom-hw twin run: lacks the command\n    fix    axiom-hw twin run -- axiom-hw doctor\n"),
        (("i2c", "118.5", "0"), "ADDRESS 118.5: isn't a number from 0 to 0x7f\n    fix    0x76, or 118\n"),
        (("i2c", "0x76", "0", "256"), "BYTE 256: isn't a number from 0 to 0xff\n    fix    0x76, or 118\n"),
        (("feed", "ttyAMA0", "é\\"), None),
        (("off", "--name", "../x"), "--name ../x: is no name: it takes letters, digits, - and _\n"),
    ],
)
def test_slips_are_told_before_a_twin_is_asked_for(cli: Cli, words: tuple[str, ...], said: str | None) -> None:
    result = cli("twin", *words)
    assert result.code == 1
    if said is not None:
        assert result.err == said
    else:
        assert result.err.startswith("TEXT é\\: can't be sent: ")


def test_a_demo_that_isnt_there_is_told_with_those_that_are(cli: Cli) -> None:
    result = cli("twin", "demo", "buton")
    assert result.code == 1
    assert result.err.startswith("demo buton: is none\n    fix    there are blink, button,")


def test_clean_says_what_it_removed(cli: Cli, places: Path) -> None:
    (places / "cache/kernel-1").mkdir(parents=True)
    (places / "cache/kernel-1/vmlinux").write_bytes(bytes(3_000_000))
    assert cli("twin", "clean").out == f"{places / 'cache'}: 3 MB removed\n"
    assert not (places / "cache/kernel-1").exists()
