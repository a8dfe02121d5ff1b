"""The parts that a boot is made of: the archive, the order of modules, the choice of a kernel, QEMU's words."""

from __future__ import annotations

import importlib.util
import lzma
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from axiom_hw.errors import TwinError
from axiom_hw.twin import Twin
from axiom_hw.twin.apt import Apt, Kernel
from axiom_hw.twin.archive import Archive
from axiom_hw.twin.debian_root import authorize
from axiom_hw.twin.first_root import added
from axiom_hw.twin.modules import ModuleTree
from axiom_hw.twin.tools import run_tool
from axiom_hw.twin.world import line_number


def silent(line: str) -> None:
    raise AssertionError(line)


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Read an archive as Documentation/driver-api/early-userspace/buffer-format.rst says."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        at += 110 + name_size + -(110 + name_size) % 4
        if name == "TRAILER!!!":
            assert at == len(archive)
            return found
        found[name] = (mode, archive[at : at + size])
        at += size + -size % 4


def test_an_archive_has_the_files_and_the_directories_above_them() -> None:
    archive = Archive()
    archive.add_console()
    archive.add("modules/a.ko", b"12345")
    archive.add("modules/b.ko", b"", 0o755)
    archive.add("link", b"/modules/a.ko", link=True)
    found = entries(archive.to_bytes())
    assert list(found) == ["dev", "dev/console", "modules", "modules/a.ko", "modules/b.ko", "link"]
    assert stat.S_ISCHR(found["dev/console"][0])
    assert found["modules"] == (stat.S_IFDIR | 0o755, b"")
    assert found["modules/a.ko"] == (stat.S_IFREG | 0o644, b"12345")
    assert found["modules/b.ko"] == (stat.S_IFREG | 0o755, b"")
    assert found["link"] == (stat.S_IFLNK | 0o777, b"/modules/a.ko")


def module(depends: str) -> bytes:
    return b"\x7fELF" + b"\0license=GPL\0depends=" + depends.encode() + b"\0vermagic=6.12\0"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "modules.builtin").write_text("kernel/virtio.ko\n")
    (tmp_path / "kernel/9p.ko.xz").write_bytes(lzma.compress(module("9pnet,netfs")))
    (tmp_path / "kernel/9pnet.ko").write_bytes(module("virtio"))
    (tmp_path / "kernel/netfs.ko").write_bytes(module(""))
    (tmp_path / "kernel/iio-core.ko").write_bytes(module(""))
    (tmp_path / "kernel/bmp280-i2c.ko").write_bytes(module("iio-core,netfs"))
    return tmp_path


def test_modules_come_behind_what_they_need(tree: Path) -> None:
    found = ModuleTree(tree).closure(("9p", "bmp280-i2c", "virtio"))
    assert list(found) == ["9pnet", "netfs", "9p", "iio_core", "bmp280_i2c"]
    assert found["9p"].startswith(b"\x7fELF")


def test_a_module_that_is_missing_is_named_with_who_needs_it(tree: Path) -> None:
    (tree / "kernel/netfs.ko").unlink()
    with pytest.raises(TwinError, match="module netfs: isn't among those of this kernel, and 9p needs it"):
        ModuleTree(tree).closure(("9p",))


MADISON = " {} | {} | http://deb.debian.org/debian-security bookworm-security/main amd64 Packages"


def fake_tools(directory: Path, **scripts: str) -> None:
    for name, script in scripts.items():
        file = directory / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)


def rows(*pairs: tuple[str, str]) -> str:
    return "\n".join(f"echo '{MADISON.format(*pair)}'" for pair in pairs)


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt knows three kernels, and the sources of the middle one."""
    search = "\n".join(
        f"echo 'linux-image-{name} - Linux'"
        for name in ("6.12.9+deb12-amd64", "6.12.107+deb12-amd64", "6.12.111+deb12-amd64", "6.12.111+deb12-rt-amd64")
    )
    new, middle = ("linux-image", "6.12.111-1~deb12u1"), ("linux-image", "6.12.107-1~deb12u1")
    cache = f"""case "$*" in
search*) {search} ;;
*linux-source-6.12) {rows(("linux-source-6.12", "6.12.107-1~deb12u1"))} ;;
*6.12.111+deb12-amd64) {rows(new)} ;;
*6.12.107+deb12-amd64) {rows(middle)} ;;
esac"""
    fake_tools(tmp_path, apt_cache=cache, apt_get='echo "E: 404" >&2; exit 100', dpkg_deb="")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_the_newest_kernel_with_sources_is_taken(debian: Path) -> None:
    found = Apt(debian / "home", silent).newest_kernel()
    assert found == Kernel("6.12.107+deb12", "6.12.107-1~deb12u1")
    assert found.release == "6.12.107+deb12-amd64"
    assert "linux-headers-6.12.107+deb12-common=6.12.107-1~deb12u1" in found.packages


def test_lists_that_are_older_than_the_mirror_are_fetched_anew(debian: Path) -> None:
    said: list[str] = []
    apt = Apt(debian / "home", said.append)
    with pytest.raises(TwinError) as caught:
        apt.download("linux-source-6.12=6.12.107-1~deb12u1")
    assert said == ["the mirror has other versions by now: fetching package lists"]
    assert str(caught.value) == "`apt-get update`: failed with status 100; its last words:\n    | E: 404"


def test_without_apt_debian_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TwinError) as caught:
        Apt(tmp_path, silent)
    assert str(caught.value) == (
        "the twin: is built from Debian's packages, and apt-get isn't on this machine\n"
        "    fix    build it on Debian 12 or 13, or in a container of it: docker run -it debian:12"
    )


def test_a_tool_that_fails_leaves_its_log(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    with pytest.raises(TwinError) as caught:
        run_tool("sh", "-c", "echo compiling; echo 'gpio-sim.c:1: error' >&2; exit 2", log=log)
    assert caught.value.problem == "failed with status 2; its last words:\n    | compiling\n    | gpio-sim.c:1: error"
    assert caught.value.fix == f"all it said is in {log}"
    assert "gpio-sim.c:1: error" in log.read_text()
    with pytest.raises(TwinError, match="needs the program no-such-tool, which isn't on this machine"):
        run_tool("no-such-tool")


@pytest.mark.parametrize(
    ("name", "number"),
    [(17, 17), ("17", 17), ("gpio17", 17), ("GPIO27", 27), ("ID_SDA", 0), ("GPIO1", 1), ("FAN_PWM", 45)],
)
def test_lines_have_names(name: int | str, number: int) -> None:
    assert line_number(name) == number


@pytest.mark.parametrize("name", [54, -1, "GPIO28", "-", ""])
def test_other_names_are_refused(name: int | str) -> None:
    with pytest.raises(TwinError, match="isn't one of the header's 54"):
        line_number(name)


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "a b\nc d"])
def test_only_a_public_key_in_one_line_is_let_in(key: str) -> None:
    with pytest.raises(TwinError, match="isn't a public key of SSH in one line"):
        authorize(key)


def test_what_cant_be_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("axiom_hw.twin.twin.check_host", lambda: None)
    monkeypatch.setattr("axiom_hw.twin.twin.kernel", lambda say: pytest.fail("it built"))
    with pytest.raises(TwinError, match="with this machine's own files has no SSH server"):
        Twin.boot(ssh=2222)
    with pytest.raises(TwinError, match="knows no root 'windows'"):
        Twin.boot(root="windows")
    with pytest.raises(TwinError, match="port 70000: is none"):
        Twin.boot(root="debian", ssh=70000)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(TwinError, match="Address already in use"):
        Twin.boot(root="debian", ssh=taken.getsockname()[1])


def test_the_agent_comes_compiled() -> None:
    found = entries(added("host"))
    assert found["boot/root"][1] == b"host"
    assert found["init"][0] & 0o111
    assert "/usr" in found["boot/installed"][1].decode().splitlines()
    code = f"agent/agent/axiom_hw/twin/guest/__pycache__/agent.{sys.implementation.cache_tag}.pyc"
    assert found[code][1].startswith(importlib.util.MAGIC_NUMBER)
