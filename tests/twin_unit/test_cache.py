"""What was built appears whole or not at all, and damage is noticed."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from axiom_hw.errors import TwinError
from axiom_hw.twin.cache import building, cache_directory, clean, digest_of, is_whole, locked, size_of


def silent(line: str) -> None:
    raise AssertionError(line)


def built(target: Path) -> Path:
    with building(target, 1) as work:
        (work / "image").write_bytes(b"kernel")
    return target


def test_the_cache_is_where_the_environment_says() -> None:
    assert cache_directory({"AXIOM_TWIN_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_directory({"XDG_CACHE_HOME": "/b", "HOME": "/c"}) == Path("/b/axiom-hw/twin")
    assert cache_directory({"HOME": "/c"}) == Path("/c/.cache/axiom-hw/twin")


def test_a_digest_knows_where_parts_end() -> None:
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")


def test_what_was_built_is_whole_until_it_is_damaged(tmp_path: Path) -> None:
    target = built(tmp_path / "kernel-1")
    assert is_whole(target)
    (target / "image").write_bytes(b"kernal")
    assert not is_whole(target)
    (target / "image").unlink()
    assert not is_whole(target)
    assert not is_whole(tmp_path / "kernel-2")


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with building(tmp_path / "kernel-1", 1) as work:
            (work / "half").write_bytes(b"")
            raise RuntimeError("compiler")

    with pytest.raises(RuntimeError, match="compiler"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_it_is_full(tmp_path: Path) -> None:
    with pytest.raises(TwinError) as caught, building(tmp_path / "kernel-1", 1 << 60):
        pass
    free = shutil.disk_usage(tmp_path).free >> 20
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert f"MB are free, building takes {1 << 40} MB for a moment" in str(caught.value)
    assert abs(int(str(caught.value).split(": ")[1].split()[0]) - free) < 1000
    assert "`axiom-hw twin clean`" in caught.value.fix


def test_a_second_builder_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    told, holds = threading.Event(), threading.Event()

    def second() -> None:
        def say(line: str) -> None:
            said.append(line)
            told.set()

        with locked(tmp_path, say):
            holds.set()

    with locked(tmp_path, silent):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(5)
        assert not holds.is_set()
    thread.join(5)
    assert holds.is_set()
    assert said == ["another process builds the twin: waiting for it"]


def test_clean_removes_all_but_the_lock(tmp_path: Path) -> None:
    built(tmp_path / "kernel-1")
    (tmp_path / "build.log").write_text("gcc")
    assert size_of(tmp_path) > 0
    assert clean(tmp_path, silent) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    handle = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it
    os.close(handle)
    assert clean(tmp_path / "nowhere", silent) == 0
