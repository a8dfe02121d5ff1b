"""Map operations, compiled, leave the memory that the same source leaves as plain Python: byte for byte."""

from __future__ import annotations

import ctypes
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

llvm = pytest.importorskip("llvmlite.binding")

from axiom_hw.bpf.frontend.extern import extern  # noqa: E402
from axiom_hw.bpf.frontend.raw import RawModule  # noqa: E402
from axiom_hw.bpf.frontend.refusal import Refused  # noqa: E402
from axiom_hw.bpf.layout import s32, u64  # noqa: E402
from axiom_hw.bpf.maps import array, hash, mem, ring  # noqa: E402
from axiom_hw.bpf.maps.array import ArrayMap, array_geometry  # noqa: E402
from axiom_hw.bpf.maps.hash_map import HashMap, hash_geometry  # noqa: E402
from axiom_hw.bpf.maps.mem import Mem  # noqa: E402
from axiom_hw.bpf.maps.ringbuf import RingBuf, ring_geometry  # noqa: E402
from axiom_hw.bpf.spec import MapSpec, MapType  # noqa: E402

Native = Callable[..., int]
KEPT: list[object] = []  # code lives as long as its engine


class Jit:
    """Compiles raw functions with MCJIT, which is simple; the engine has its own way."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.raw = RawModule()

    def functions(self, *wanted: tuple[Callable[..., object], tuple[object, ...]]) -> list[Native]:
        names = [self.raw.lower(function, *constants) for function, constants in wanted]
        text = self.raw.text()
        wrappers, signatures = [], []
        for name in names:
            head = re.search(rf"define internal (\w+) @{name}\(([^)]*)\)", text)
            assert head
            given = [re.sub(r" align 8", "", part) for part in head[2].split(", ")]
            passed = ", ".join(given)
            call = f"call {head[1]} @{name}({passed})"
            end = {"void": f"{call}\n ret i64 0", "i1": f"%r = {call}\n %z = zext i1 %r to i64\n ret i64 %z"}
            wrappers.append(
                f"define i64 @x_{name}({passed}) {{\n {end.get(head[1], f'%r = {call} {chr(10)} ret i64 %r')}\n}}"
            )
            signatures.append([ctypes.c_void_p if part.startswith("ptr") else ctypes.c_int64 for part in given])
        module = llvm.parse_assembly(text + "\n".join(wrappers))
        module.verify()
        machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
        passes = llvm.create_new_module_pass_manager()
        for add in ("always_inliner", "sroa", "instruction_combine", "simplify_cfg", "sccp", "instruction_combine"):
            getattr(passes, f"add_{add}_pass")()
        passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        KEPT.append(engine)
        return [
            ctypes.CFUNCTYPE(ctypes.c_int64, *signature)(engine.get_function_address(f"x_{name}"))
            for name, signature in zip(names, signatures, strict=True)
        ]


def address(m: Mem) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(m.u8))


def hashes(*sizes: tuple[int, int]) -> list[MapSpec]:
    return [MapSpec("t", MapType.HASH, key_size, value_size, 8) for key_size, value_size in sizes]


@pytest.mark.parametrize("spec", hashes((4, 8), (8, 8), (1, 1), (13, 3), (16, 80), (7, 64), (70, 24)), ids=str)
def test_hash(spec: MapSpec) -> None:
    g, seed = hash_geometry(spec), 0x1234_5678_9ABC_DEF0
    plain, compiled = HashMap(spec, seed=seed), HashMap(spec, seed=seed)
    lookup, update, delete = Jit().functions(
        (hash.hash_lookup, (g,)), (hash.hash_update, (g,)), (hash.hash_delete, (g,))
    )
    rng = random.Random(1)
    keys = [rng.randbytes(spec.key_size) for _ in range(12)]
    scratch = Mem(bytearray(256))
    to, at = address(compiled.mem), address(scratch)
    for step in range(1500):
        key_off, value_off = rng.randrange(8), 96 + rng.randrange(8)
        scratch.u8[key_off : key_off + spec.key_size] = rng.choice(keys)
        scratch.u8[value_off : value_off + spec.value_size] = rng.randbytes(spec.value_size)
        flags = rng.choice((0, 0, 0, 1, 2, 3, -1))
        verb = rng.choice(("lookup", "update", "update", "delete"))
        if verb == "lookup":
            pair = hash.hash_lookup(plain.mem, g, scratch, key_off), lookup(to, at, key_off)
        elif verb == "update":
            pair = (
                hash.hash_update(plain.mem, g, scratch, key_off, scratch, value_off, flags % (1 << 64)),
                update(to, at, key_off, at, value_off, flags),
            )
        else:
            pair = hash.hash_delete(plain.mem, g, scratch, key_off), delete(to, at, key_off)
        assert pair[0] == pair[1], f"step {step}, {verb}"
        assert plain.mem.u8 == compiled.mem.u8, f"step {step}, {verb}"


@pytest.mark.parametrize("value_size", [1, 2, 4, 8, 12, 31, 64, 65, 200])
def test_array(value_size: int) -> None:
    spec = MapSpec("t", MapType.ARRAY, 4, value_size, 5)
    g = array_geometry(spec)
    plain, compiled = ArrayMap(spec), ArrayMap(spec)
    lookup, update = Jit().functions((array.array_lookup, (g,)), (array.array_update, (g,)))
    rng = random.Random(2)
    scratch = Mem(bytearray(512))
    to, at = address(compiled.mem), address(scratch)
    for step in range(400):
        key_off, value_off, flags = rng.randrange(8), 96 + rng.randrange(8), rng.choice((0, 1, 2, 3, -1))
        scratch.u8[key_off : key_off + 4] = rng.choice((0, 1, 2, 4, 5, 0xFFFF_FFFF)).to_bytes(4, "little")
        scratch.u8[value_off : value_off + value_size] = rng.randbytes(value_size)
        assert array.array_lookup(plain.mem, g, scratch, key_off) == lookup(to, at, key_off), f"step {step}"
        there = array.array_update(plain.mem, g, scratch, key_off, scratch, value_off, flags % (1 << 64))
        assert there == update(to, at, key_off, at, value_off, flags), f"step {step}"
        assert plain.mem.u8 == compiled.mem.u8, f"step {step}"


def test_ring() -> None:
    spec = MapSpec("t", MapType.RINGBUF, 0, 0, 256)
    g = ring_geometry(spec)
    plain, compiled = RingBuf(spec), RingBuf(spec)
    reserve, submit, discard, output, query, read = Jit().functions(
        (ring.ring_reserve, (g,)), (ring.ring_submit, ()), (ring.ring_discard, ()), (ring.ring_output, (g,)),
        (ring.ring_query, (g,)), (ring.ring_read, (g,)),
    )  # fmt: skip
    rng = random.Random(3)
    scratch, here, there = Mem(bytearray(512)), Mem(bytearray(512)), Mem(bytearray(512))
    to, at = address(compiled.mem), address(scratch)
    for step in range(2000):
        size, offset = rng.choice((0, 1, 7, 8, 16, 33, 100, 250, 256, 1 << 40)), rng.randrange(8)
        scratch.u8[:300] = rng.randbytes(300)
        match rng.choice(("write", "output", "read", "read", "query")):
            case "write":
                one, two = ring.ring_reserve(plain.mem, g, size), reserve(to, size)
                assert one == two, f"step {step}"
                if one:
                    end = rng.choice(((ring.ring_submit, submit), (ring.ring_discard, discard)))
                    end[0](plain.mem, one)
                    end[1](to, two)
            case "output":
                small = size % 257
                one = ring.ring_output(plain.mem, g, scratch, offset, small)
                assert one == output(to, at, offset, small), f"step {step}"
            case "read":
                one = ring.ring_read(plain.mem, g, here, 0, 200)
                assert one == read(to, address(there), 0, 200), f"step {step}"
                assert here.u8 == there.u8
            case _:
                what = rng.randrange(5)
                assert ring.ring_query(plain.mem, g, what) == query(to, what), f"step {step}"
        assert plain.mem.u8 == compiled.mem.u8, f"step {step}"


def mixed(m: Mem, off: int, a: u64, b: int) -> int:
    """Each primitive that map operations don't use."""
    mem.store_u8(m, off, a & 255)
    mem.store_u16(m, off + 2, a & 0xFFFF)
    total = mem.exchange_u32(m, off + 8, a & 0xFFFF_FFFF) + mem.exchange_u64(m, off + 16, a)
    total += mem.fetch_add_u32(m, off + 8, b)
    if mem.cas_u32(m, off + 8, mem.load_u32(m, off + 8), 7):
        total += mem.load_u8(m, off) + mem.load_u16(m, off + 2)
    return u64(total + mem.get_u16(m, off + 1) + mem.get_u64(m, off + 3))


def test_the_other_primitives() -> None:
    (native,) = Jit().functions((mixed, ()))
    one, two = Mem(bytearray(64)), Mem(bytearray(64))
    rng = random.Random(4)
    for _ in range(200):
        a, b = rng.getrandbits(64), rng.choice((1, -1, 77))
        expected = mixed(one, 8, a, b)
        assert native(address(two), 8, a, b) % (1 << 64) == expected
        assert one.u8 == two.u8


@extern("abs")
def c_abs(number: s32) -> s32:
    return abs(number)


@extern("close", errno=True)
def c_close(fd: s32) -> s32:
    raise AssertionError("for compiled callers only")


def uses_c(fd: int) -> int:
    if c_abs(fd) != -fd:
        return 1
    return c_close(fd)


def test_functions_of_c_and_their_errno() -> None:
    (native,) = Jit().functions((uses_c, ()))
    assert native(-5) == -9  # EBADF


def test_the_lookup_of_a_hash_with_short_keys_calls_nothing() -> None:
    raw = RawModule("one_")
    name = raw.lower(hash.hash_lookup, hash_geometry(MapSpec("t", MapType.HASH, 4, 8, 1024)))
    again = raw.lower(hash.hash_lookup, hash_geometry(MapSpec("u", MapType.HASH, 4, 8, 1024)))
    assert name == again == "one_hash_lookup"  # the same geometry, the same code
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    text = raw.text() + (
        "define i64 @probe(ptr align 8 %m, i32 %k) {\n %s = alloca i32, align 8\n store i32 %k, ptr %s\n"
        f" %r = call i64 @{name}(ptr %m, ptr %s, i64 0)\n ret i64 %r\n}}\n"
    )
    module = llvm.parse_assembly(text)
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    lines = [line.split() for line in machine.emit_assembly(module).splitlines() if line.startswith("\t")]
    assert not [line for line in lines if line[0].startswith(("call", "bl"))]
    assert sum(not line[0].startswith((".", "#")) for line in lines) < 90


def test_raw_functions_are_refused_by_the_same_rules() -> None:
    with pytest.raises(Refused) as refused:
        RawModule().lower(unlucky)
    name = Path(__file__).relative_to(Path.cwd()) if Path(__file__).is_relative_to(Path.cwd()) else Path(__file__)
    assert str(refused.value) == (
        f"{name}:{unlucky.__code__.co_firstlineno + 1}: [P002] programs have integers only\n"
        "      return x * 2.5\n"
        "                 ^^^\n"
        "    write  fixed point: thousandths, say, with `//`"
    )


def unlucky(x: int) -> int:
    return x * 2.5
