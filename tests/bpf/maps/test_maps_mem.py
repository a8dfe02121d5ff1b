"""Memory and its primitives: widths, alignment, and atomicity among threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.maps import mem as p
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.errors import MapError


@pytest.fixture
def hasty() -> Iterator[None]:
    """The interpreter hands the GIL over as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_together(*work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=w) for w in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_words_alias_bytes_little_endian() -> None:
    m = Mem(bytearray(16))
    p.store_u64(m, 8, 0x1122334455667788)
    assert bytes(m.u8[8:]) == bytes.fromhex("8877665544332211")
    assert [p.load_u8(m, 9), p.load_u16(m, 8), p.load_u32(m, 12)] == [0x77, 0x7788, 0x11223344]
    p.store_u8(m, 0, 0xFF)
    p.store_u16(m, 2, 0xABCD)
    p.store_u32(m, 4, 0x01020304)
    assert bytes(m.u8[:8]) == bytes.fromhex("ff00cdab04030201")


def test_loads_needn_t_be_aligned() -> None:
    m = Mem(bytes(range(13)))
    assert p.get_u16(m, 11) == 0x0C0B
    assert p.get_u32(m, 9) == 0x0C0B0A09
    assert p.get_u64(m, 5) == 0x0C0B0A0908070605


def test_any_length_is_memory() -> None:
    assert Mem(b"").size == 0
    odd = Mem(bytes(13))
    assert (odd.size, len(odd.u16), len(odd.u32), len(odd.u64)) == (13, 6, 3, 1)


def test_read_only_buffers_stay_so() -> None:
    m = Mem(bytes(8))
    assert m.readonly
    with pytest.raises(TypeError):
        p.store_u64(m, 0, 1)


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 9, 24])
@pytest.mark.parametrize("at", [0, 1, 4, 8])
def test_copy_equal_zero(n: int, at: int) -> None:
    src, dst = Mem(bytes(range(1, 41))), Mem(bytearray(40))
    assert not p.equal(dst, at, src, 8, n)
    p.copy(dst, at, src, 8, n)
    assert p.equal(dst, at, src, 8, n)
    assert bytes(dst.u8) == bytes(at) + bytes(range(9, 9 + n)) + bytes(40 - at - n)
    p.zero(dst, at, n)
    assert bytes(dst.u8) == bytes(40)


def test_read_modify_writes_give_what_was() -> None:
    m = Mem.anonymous(16)
    assert p.fetch_add_u64(m, 8, 5) == 0
    assert p.fetch_add_u64(m, 8, -6) == 5
    assert p.load_u64(m, 8) == (1 << 64) - 1
    assert p.fetch_add_u32(m, 0, -1) == 0
    assert p.fetch_add_u32(m, 0, 2) == 0xFFFFFFFF
    assert p.load_u64(m, 0) == 1  # the other half is untouched
    assert p.exchange_u64(m, 8, 7) == (1 << 64) - 1
    assert p.exchange_u32(m, 0, 9) == 1
    assert p.cas_u64(m, 8, 7, 70)
    assert not p.cas_u64(m, 8, 7, 71)
    assert p.cas_u32(m, 0, 9, 90)
    assert not p.cas_u32(m, 0, 9, 91)
    assert (p.load_u32(m, 0), p.load_u64(m, 8)) == (90, 70)


@pytest.mark.usefixtures("hasty")
def test_no_update_is_lost_among_threads() -> None:
    m, rounds = Mem.anonymous(32), 5000

    def add() -> None:
        for _ in range(rounds):
            p.fetch_add_u64(m, 0, 1)
            p.fetch_add_u32(m, 8, 1)
            while not p.cas_u64(m, 16, was := p.load_u64(m, 16), was + 1):
                pass

    run_together(add, add, add, add)
    assert (p.load_u64(m, 0), p.load_u32(m, 8), p.load_u64(m, 16)) == (4 * rounds,) * 3


@pytest.mark.usefixtures("hasty")
def test_an_exchanged_token_is_held_by_one_thread_at_a_time() -> None:
    m, got = Mem.anonymous(8), []
    p.store_u64(m, 0, 1)

    def take() -> None:
        mine = 0
        for _ in range(5000):
            if p.exchange_u64(m, 0, 0):
                mine += 1
                p.store_u64(m, 0, 1) if mine % 2 else p.exchange_u64(m, 0, 1)
        got.append(mine)

    run_together(take, take, take, take)
    assert p.load_u64(m, 0) == 1
    assert sum(got) > 0


def test_a_file_is_shared_memory(tmp_path: Path) -> None:
    path = tmp_path / "m"
    one = Mem.create(path, 64)
    two = Mem.open(path)
    p.store_u64(one, 56, 42)
    assert p.load_u64(two, 56) == 42
    assert path.stat().st_mode & 0o777 == 0o600


def test_files_that_cant_be_memory_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with pytest.raises(MapError, match=r"m: can't be opened: No such file"):
        Mem.open(path)
    path.touch()
    with pytest.raises(MapError, match="m: is empty, so it holds no map"):
        Mem.open(path)
    with pytest.raises(MapError, match="m: exists already"):
        Mem.create(path, 64)
    with pytest.raises(MapError, match=r"x/m: can't be created: No such file"):
        Mem.create(tmp_path / "x" / "m", 64)


def test_real_atomics_do_the_same() -> None:
    """Beside native code, read-modify-writes are machine instructions. In a process of its own: it stays so."""
    if why := why_not():
        pytest.skip(why)
    script = (
        "import threading\n"
        "from axiom_hw.bpf.maps.mem import *\n"
        "from axiom_hw.bpf.engine.llvm.real_atomics import use_real_atomics\n"
        "def steps(m):\n"
        "    return [cas_u32(m, 8, 0, 7), cas_u32(m, 8, 0, 9), cas_u64(m, 16, 0, 1 << 63), cas_u64(m, 16, 0, 1),\n"
        "            fetch_add_u32(m, 8, -9), fetch_add_u32(m, 8, 3), fetch_add_u64(m, 16, 1 << 63),\n"
        "            fetch_add_u64(m, 16, -1), exchange_u32(m, 12, 0xFFFFFFFF), exchange_u64(m, 24, 5),\n"
        "            exchange_u64(m, 24, 6), bytes(m.u8)]\n"
        "plain = steps(Mem.anonymous(32))\n"
        "use_real_atomics()\n"
        "m = Mem.anonymous(32)\n"
        "assert m.address % 4096 == 0\n"
        "assert steps(m) == plain\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
