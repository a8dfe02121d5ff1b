"""The cache of compiled programs: what is found, what isn't, and what goes wrong without harm."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from axiom_hw.bpf.engine.llvm.cache import Cache, default_directory
from axiom_hw.bpf.engine.llvm.code import Code
from axiom_hw.bpf.engine.llvm.identity import program_key
from axiom_hw.bpf.engine.llvm.native import Native, offers_of
from axiom_hw.bpf.engine.llvm.unit import Offers
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec, MapFlag, MapSpec, MapType, ProgramSpec
from tests.bpf.engine.llvm.twins import proved
from tests.bpf.engine.rigs import ScriptedEnv

KEY = bytes(range(24))
CODE = Code(b"an image" * 10, ("helper_gpio_set", "map_0"), (("program", 0), ("run_batch", 48)))
ANSWER = "r0 = 42\nexit"
CONSTANT = MapSpec(".rodata", MapType.ARRAY, 4, 8, 1, MapFlag.RDONLY_PROG, data=b"12345678", frozen=True)
COUNTS = MapSpec("counts", MapType.HASH, 4, 8, 16)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "axiom_hw")


def files(cache: Cache) -> list[Path]:
    return sorted(cache.directory.iterdir())


class TestFiles:
    def test_what_was_put_is_got(self, cache: Cache) -> None:
        assert cache.get(KEY) is None
        cache.put(KEY, CODE)
        assert cache.get(KEY) == CODE
        assert (cache.stats.hits, cache.stats.misses, cache.stats.damaged) == (1, 1, 0)

    @pytest.mark.parametrize("code", [
        Code(b"x", (), ()), Code(b"x", ("map_0",), ()), Code(b"x", (), (("program", 1 << 40),)),
    ])  # fmt: skip
    def test_code_that_needs_or_exports_nothing(self, cache: Cache, code: Code) -> None:
        cache.put(KEY, code)
        assert cache.get(KEY) == code

    @pytest.mark.parametrize("damage", [
        lambda data: data[:-1], lambda data: data[:20], lambda data: b"", lambda data: data + b"x",
        lambda data: b"ELF." + data[4:], lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
        lambda data: data[:20] + b"\xff" * 4 + data[24:],
    ])  # fmt: skip
    def test_damage_is_noticed_and_the_file_removed(self, cache: Cache, damage: object) -> None:
        cache.put(KEY, CODE)
        (file,) = files(cache)
        file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
        assert cache.get(KEY) is None
        assert (cache.stats.damaged, files(cache)) == (1, [])
        cache.put(KEY, CODE)
        assert cache.get(KEY) == CODE

    def test_a_file_under_another_name_is_damage(self, cache: Cache) -> None:
        cache.put(KEY, CODE)
        (file,) = files(cache)
        other = bytes(24)
        file.rename(file.with_name(f"{other.hex()}{file.suffix}"))
        assert cache.get(other) is None
        assert cache.stats.damaged == 1

    def test_what_was_of_no_use_for_longest_goes_first(self, cache: Cache) -> None:
        cache.limit_bytes = 60_000
        for n in range(200):
            cache.put(n.to_bytes(24, "big"), Code(bytes(1000), (), ()))
            os.utime(cache.directory / f"{n.to_bytes(24, 'big').hex()}.axc", (n, n))
        assert cache.size_bytes() < 60_000 + 64 * 1100
        assert cache.get((199).to_bytes(24, "big")) is not None
        assert cache.get(bytes(24)) is None

    def test_what_is_used_stays_young(self, cache: Cache) -> None:
        cache.put(KEY, CODE)
        (file,) = files(cache)
        os.utime(file, (1000, 1000))
        cache.get(KEY)
        assert time.time() - file.stat().st_mtime < 60


class TestNeverInTheWay:
    def test_a_place_that_can_not_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        cache = Cache(tmp_path / "file" / "axiom_hw")
        cache.put(KEY, CODE)
        assert cache.get(KEY) is None
        assert cache.problem == "can't be made: Not a directory"

    def test_a_place_that_others_may_write_to(self, tmp_path: Path) -> None:
        """What lies there is executed."""
        cache = Cache(tmp_path / "axiom_hw")
        cache.directory.mkdir()
        cache.directory.chmod(0o777)
        cache.put(KEY, CODE)
        assert (cache.get(KEY), files(cache)) == (None, [])
        assert cache.problem == "can be written by other users; `chmod go-w` mends that"

    def test_a_full_disk(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        cache.put(KEY, CODE)
        monkeypatch.setattr(os, "replace", full)
        cache.put(bytes(24), CODE)
        assert cache.problem == "can't be written: No space left on device"
        assert len(files(cache)) == 1

    def test_a_program_runs_without_it(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        cache = Cache(tmp_path / "file")
        assert Native(proved(ANSWER), [], ScriptedEnv(), cache=cache).run() == 42

    def test_its_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
        assert default_directory() == Path("/somewhere/axiom_hw")
        monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
        monkeypatch.setenv("HOME", "/home/pi")
        assert default_directory() == Path("/home/pi/.cache/axiom_hw")


class TestPrograms:
    def test_the_second_load_compiles_nothing(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        first = Native(proved(ANSWER), [], ScriptedEnv(), cache=cache)

        def never(*_: object) -> None:
            raise AssertionError("lifted again")

        monkeypatch.setattr("axiom_hw.bpf.engine.llvm.native.module_text", never)
        second = Native(proved(ANSWER), [], ScriptedEnv(), cache=cache)
        assert (first.run(), second.run()) == (42, 42)

    def test_a_damaged_program_is_made_again(self, cache: Cache) -> None:
        Native(proved(ANSWER), [], ScriptedEnv(), cache=cache)
        for file in files(cache):
            file.write_bytes(file.read_bytes()[:-100])
        again = Native(proved(ANSWER), [], ScriptedEnv(), cache=cache)
        assert (again.run(), cache.stats.damaged) == (42, 1)
        assert Native(proved(ANSWER), [], ScriptedEnv(), cache=cache).run() == 42
        assert cache.stats.damaged == 1

    def test_several_processes_at_once(self, cache: Cache) -> None:
        context = multiprocessing.get_context("spawn")
        with context.Pool(3) as pool:
            answers = pool.map(_answers, [cache.directory] * 3)
        assert answers == [[0, 1, 2, 3, 4]] * 3


def _answers(directory: Path) -> list[int]:
    cache = Cache(directory)
    return [Native(proved(f"r0 = {n}\nexit"), [], ScriptedEnv(), cache=cache).run() for n in range(5)]


class TestKeys:
    """Whatever the code depends on is in the key."""

    def key(self, spec: ProgramSpec, offers: Offers = Offers()) -> bytes:  # noqa: B008 (frozen)
        return program_key(spec, [create_map(one) for one in spec.maps], offers)

    def test_the_same_program_has_the_same_key(self) -> None:
        assert self.key(proved(ANSWER).spec) == self.key(replace(proved(ANSWER).spec, name="other", section="timer/1s"))

    @pytest.mark.parametrize("change", [
        {"insns": proved("r0 = 43\nexit").spec.insns},
        {"ctx": CtxSpec(8)}, {"ctx": CtxSpec(0, writable=True)}, {"ctx": CtxSpec(0, length_in_r2=True)},
        {"maps": (COUNTS,)},
    ])  # fmt: skip
    def test_another_program_has_another(self, change: dict[str, object]) -> None:
        spec = proved(ANSWER).spec
        assert self.key(spec) != self.key(replace(spec, **change))  # type: ignore[arg-type]

    @pytest.mark.parametrize("change", [
        {"max_entries": 17}, {"value_size": 16}, {"key_size": 8}, {"type": MapType.ARRAY, "key_size": 4},
        {"flags": int(MapFlag.RDONLY_PROG)}, {"frozen": True},
    ])  # fmt: skip
    def test_another_map_has_another(self, change: dict[str, object]) -> None:
        spec = replace(proved(ANSWER).spec, maps=(COUNTS,))
        assert self.key(spec) != self.key(replace(spec, maps=(replace(COUNTS, **change),)))  # type: ignore[arg-type]

    def test_constants_are_part_of_it(self) -> None:
        spec = replace(proved(ANSWER).spec, maps=(CONSTANT,))
        assert self.key(spec) != self.key(replace(spec, maps=(replace(CONSTANT, data=b"12345679"),)))

    def test_what_the_environment_offers_is_part_of_it(self) -> None:
        spec = proved(ANSWER).spec
        keys = {
            self.key(spec),
            self.key(spec, Offers(monotonic=True)),
            self.key(spec, offers_of(ScriptedEnv(hardware={1003: lambda line, value: 0}))),
            self.key(spec, Offers(natives={1003: _doubled})),
            self.key(spec, Offers(natives={1003: _halved})),
        }
        assert len(keys) == 5


def _doubled(m: object, a: int) -> int:
    return a * 2


def _halved(m: object, a: int) -> int:
    return a >> 1
