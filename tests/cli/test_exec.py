"""`axiom-hw exec`, as the bpf_conformance suite and other processes drive it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.insn import encode
from axiom_hw.cli import batch, main
from axiom_hw.errors import SpecError
from tests.bpf.engines import ENGINES
from tests.bpf.vectors.vectors import load

ROOT = Path(__file__).parents[2]
HEARTBEAT = ROOT / "demos/heartbeat/heartbeat.bpf.o"
DRIVER = "from axiom_hw.cli import main; main()"


@dataclass
class Result:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str


def run(*arguments: str, stdin: str | bytes = b"") -> Result:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(SystemExit) as stopped:
            main(["exec", *arguments])
    assert isinstance(stopped.value.code, int)
    return Result(stopped.value.code, out.getvalue(), err.getvalue())


def code(text: str) -> str:
    return encode(assemble_insns(text)).hex(" ")


def answers(*requests: Mapping[str, object] | str, options: tuple[str, ...] = ()) -> list[dict[str, object]]:
    lines = [request if isinstance(request, str) else json.dumps(request) for request in requests]
    result = run("--batch", "-", *options, stdin="\n".join(lines))
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


class TestOneProgram:
    """The plugin protocol: memory as the argument, instructions on standard input, r0 on standard output."""

    def test_r0_is_printed_as_hex(self) -> None:
        result = run(stdin=code("r0 = -1\nexit") + "\n")
        assert (result.exit_code, result.stdout) == (0, "ffffffffffffffff\n")

    def test_memory_lies_in_r1_and_its_length_in_r2(self) -> None:
        program = code("r0 = *(u8 *)(r1 + 1)\n*(u8 *)(r1 + 0) = 7\nr0 += r2\nexit")
        assert run("aa  bb  cc  ", stdin=program).stdout == "be\n"
        assert run("aabbcc", stdin=program).stdout == "be\n"
        assert run("aa bb cc", "", stdin=program).stdout == "be\n"  # the suite passes empty options as an argument

    def test_without_memory_r1_and_r2_are_zero(self) -> None:
        for memory in ((), ("",), ("  ",)):
            assert run(*memory, stdin=code("r0 = r1\nr0 |= r2\nexit")).stdout == "0\n"

    def test_a_rejection_goes_to_stderr(self) -> None:
        result = run(stdin=code("r0 = *(u64 *)(r10 - 8)\nexit"))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("program at pc 0: [V204]")

    def test_unverified_leaves_the_region_checks(self) -> None:
        assert run("--unverified", stdin=code("r0 = *(u64 *)(r10 - 8)\nexit")).stdout == "0\n"
        result = run("--unverified", stdin=code("r0 = *(u64 *)(r10 + 0)\nexit"))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("program at pc 0: reads 8 bytes at ")
        assert result.stderr.endswith("offset 512 of the stack, which has 512 bytes\n")

    def test_conformance_helper_5_returns_its_argument(self) -> None:
        program = code("r1 = 42\ncall 5\nexit")
        assert run("--conformance", stdin=program).stdout == "2a\n"
        assert run(stdin=program).stdout == "0\n"  # ktime_get_ns, at the start of virtual time
        through_a_register = code("r1 = -1\nr2 = 5\ncallx r2\nr0 = 2\nexit")
        assert run("--conformance", "--unverified", stdin=through_a_register).stdout == "2\n"

    def test_an_object_as_bytes_or_as_hex(self) -> None:
        data = HEARTBEAT.read_bytes()
        memory = bytes(16).hex()
        for stdin in (data, data.hex(" ").encode()):
            result = run(memory, "--elf", stdin=stdin)
            assert (result.exit_code, result.stdout, result.stderr) == (0, "0\n", "tick 1\n")

    @pytest.mark.parametrize(
        ("arguments", "stdin", "message"),
        [
            (("zz",), b"", "the memory: 'z' is no hex digit\n"),
            (("abc",), b"", "the memory: has half a byte: hex digits come in pairs\n"),
            ((), b"95 0", "standard input: has half a byte: hex digits come in pairs\n"),
            ((), b"\xff\xfe", "standard input: '\ufffd' is no hex digit\n"),
            ((), b"95", "byte 0: the program has 1 bytes, not a multiple of 8\n"),
            pytest.param(
                ("--engine", "llvm", "--unverified"),
                b"95" + b"00" * 7,
                "program: wasn't verified; native code checks nothing",
                marks=pytest.mark.llvm,
            ),
            (("--object", "x.o"), b"", "exec: needs --events FILE.jsonl as well"),
            (("--events", "x"), b"", "exec: needs --object FILE.o as well"),
            (("--batch", "/nowhere/x"), b"", "/nowhere/x: can't be read: No such file or directory\n"),
            (("--object", "/nowhere/x.o", "--events", "-"), b"", "/nowhere/x.o: can't be read: No such file"),
        ],
    )
    def test_mistakes_are_told(self, arguments: tuple[str, ...], stdin: bytes, message: str) -> None:
        result = run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(message)


class TestBatch:
    """A request a line, an answer a line, whatever the line."""

    def test_every_vector(self) -> None:
        vectors = load()
        map0 = {"type": "array", "key_size": 4, "value_size": 16, "max_entries": 2}
        requests = [
            {
                "name": vector.name, "insns": encode(vector.insns).hex(), "maps": [map0], "unverified": True,
                "mem": vector.mem if vector.mem is None else vector.mem.hex(), "ctx_size": 0,
            }
            for vector in vectors
        ]  # fmt: skip
        found = answers(*requests)
        assert [answer["name"] for answer in found] == [vector.name for vector in vectors]
        for answer, vector in zip(found, vectors, strict=True):
            if vector.r0 is None:
                assert vector.error in str(answer["error"])
            else:
                assert answer == {"name": vector.name, "r0": vector.r0}

    def test_verified_unless_waived(self) -> None:
        request = {"name": "n", "insns": code("r0 = *(u64 *)(r10 - 8)\nexit"), "maps": [], "mem": None, "ctx_size": 0}
        first, second, third = answers(request, {**request, "unverified": True}, {**request, "unverified": False})
        assert first == third
        assert str(first["error"]).startswith("n at pc 0: [V204]")
        assert second == {"name": "n", "r0": 0}
        assert answers(request, options=("--unverified",)) == [second]

    def test_a_context_of_zeros_that_cannot_be_written(self) -> None:
        read = {"insns": code("r0 = *(u64 *)(r1 + 8)\nexit"), "maps": [], "mem": None, "ctx_size": 16}
        write = {"insns": code("*(u8 *)(r1 + 8) = 1\nr0 = 0\nexit"), "mem": None, "ctx_size": 16, "unverified": True}
        first, second, third = answers(read, write, {**write, "mem": "00" * 16})
        assert first == {"name": None, "r0": 0}
        assert "the context is read-only" in str(second["error"])
        assert third == {"name": None, "r0": 0}

    @pytest.mark.parametrize("kind", ["array", "ARRAY", "BPF_MAP_TYPE_ARRAY", "bpf_map_type_array"])
    def test_maps_by_linux_names_with_data(self, kind: str) -> None:
        table = {"type": kind, "key_size": 4, "value_size": 8, "max_entries": 1, "data_hex": "2a", "frozen": True}
        program = code("r1 = map[0][0]+0 ll\nr0 = *(u64 *)(r1 + 0)\nexit")
        assert answers({"name": "m", "insns": program, "maps": [table], "ctx_size": 0}) == [{"name": "m", "r0": 42}]

    def test_hardware_helpers_find_no_device(self) -> None:
        program = code("r1 = 18\nr2 = 1\ncall 1003\nexit")
        assert answers({"name": "g", "insns": program, "maps": [], "ctx_size": 0}) == [{"name": "g", "r0": 2**64 - 19}]

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("nonsense", "line 1: is no JSON: "),
            ("\ufeff", "line 1: is no JSON: "),
            ("[]", "line 1: is []; each line holds one object"),
            ("7", "line 1: is 7; each line holds one object"),
            ("[" * 100_000, "line 1: nests too deep"),
            ('{"a":' * 100_000, "line 1: nests too deep"),
            ("1" * 10_000, "line 1: is no JSON: "),
            ("{}", "line 1: `insns` is missing; it takes a string"),
            ('{"name": 5}', "line 1: `name` is 5; it takes a string"),
            ('{"insns": 5}', "line 1: `insns` is 5; it takes a string"),
            ('{"insns": "xy"}', "line 1, `insns`: 'x' is no hex digit"),
            ('{"insns": "95"}', "byte 0: the program has 1 bytes"),
            ('{"insns": ""}', "program at pc 0: [V002]"),
            ('{"insns": "", "maps": {}}', "line 1: `maps` is {}; it takes a list"),
            ('{"insns": "", "maps": [7]}', "line 1: `maps[0]` is 7; it takes an object"),
            ('{"insns": "", "maps": [{}]}', "line 1, maps[0]: `type` is missing"),
            ('{"insns": "", "maps": [{"type": "sock"}]}', 'line 1, maps[0]: `type` is "sock"; the types are hash, '),
            ('{"insns": "", "maps": [{"type": "array", "key_size": -1}]}', "line 1, maps[0]: `key_size` is -1; it"),
            ('{"insns": "", "maps": [{"type": "array", "key_size": 1.5}]}', "line 1, maps[0]: `key_size` is 1.5; it"),
            ('{"insns": "", "maps": [{"type": "array", "flags": true}]}', "line 1, maps[0]: `flags` is true; it"),
            ('{"insns": "", "maps": [{"type": "hash", "max_entries": 4294967296}]}', "line 1, maps[0]: `max_entries`"),
            ('{"insns": "", "maps": [{"type": "hash", "frozen": 1}]}', "line 1, maps[0]: `frozen` is 1; it takes true"),
            ('{"insns": "", "maps": [{"type": "hash", "fields": [{"kind": "x"}]}]}', "line 1, maps[0], fields[0]: `"),
            ('{"insns": "", "ctx_size": 99999999999}', "line 1: `ctx_size` is 99999999999; it takes"),
            ('{"insns": "", "mem": []}', "line 1: `mem` is []; it takes a string"),
            ('{"insns": "", "unverified": "yes"}', 'line 1: `unverified` is "yes"; it takes true or false'),
        ],
    )  # fmt: skip
    def test_what_is_no_request_gets_an_error_and_the_next_is_served(self, line: str, error: str) -> None:
        good = {"name": "good", "insns": code("r0 = 1\nexit"), "maps": [], "ctx_size": 0}
        first, second = answers(line, good)
        assert str(first["error"]).startswith(error)
        assert second == {"name": "good", "r0": 1}

    def test_what_would_take_too_much_is_refused(self) -> None:
        base = {"insns": code("r0 = 1\nexit"), "ctx_size": 0, "unverified": True}
        inner: dict[str, object] = {"type": "array"}
        for _ in range(10):
            inner = {"type": "array_of_maps", "inner": inner}
        big = {"type": "array", "key_size": 4, "value_size": 4096, "max_entries": 10_000}
        found = answers(
            {**base, "maps": [{**big, "max_entries": 4_000_000_000}]},
            {**base, "maps": [big, big]},
            {**base, "maps": [{"type": "array"}] * 65},
            {**base, "maps": [inner]},
            {**base, "insns": code("r0 = 1\nexit") * (1 << 17)},
            {**base, "mem": "00" * ((16 << 20) // 2 - 64)},
            {**base, "insns": code("goto -1\nexit")},
            base,
        )
        errors = [str(answer.get("error")) for answer in found]
        assert "the limit is" in errors[0]
        assert errors[1].endswith("the limit is 67108864")
        assert errors[2] == "line 3: has 65 maps; 64 is the limit"
        assert errors[3].endswith("maps nest more than 4 deep")
        assert errors[4] == "line 5: has 262144 slots; exec --batch takes at most 131072"
        assert found[5] == {"name": None, "r0": 1}
        assert errors[6].endswith("ran 4000000 instructions, its budget, and isn't done")
        assert found[7] == {"name": None, "r0": 1}

    def test_a_process_answers_each_line_at_once(self) -> None:
        request = json.dumps({"name": "n", "insns": code("r0 = 1\nexit"), "maps": [], "ctx_size": 0}) + "\n"
        command = [sys.executable, "-c", DRIVER, "exec", "--batch", "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for _ in range(3):
                process.stdin.write(request)
                process.stdin.flush()
                assert json.loads(process.stdout.readline()) == {"name": "n", "r0": 1}
            process.stdin.close()
            assert process.wait(30) == 0


class TestReading:
    """The edge itself: lines and time."""

    def test_a_line_over_the_limit_is_skipped_in_pieces(self) -> None:
        stream = io.BytesIO(b"ab\n\n" + b"x" * 25 + b"\n  \ncd")
        found = [(line.number, line.data) for line in batch.lines(stream, limit=10)]
        assert found == [(1, b"ab\n"), (3, None), (5, b"cd")]

    def test_a_request_that_takes_too_long_is_ended(self) -> None:
        def handle(fields: batch.Fields) -> batch.Answer:
            while True:
                fields.text("name")

        out = io.StringIO()
        batch.answer_lines(io.BytesIO(b'{"name": "n"}\n{"name": "m"}\n'), out, handle, seconds=0.02)
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [line["name"] for line in lines] == ["n", "m"]
        assert lines[1]["error"] == "line 2: took longer than 0.02 s, the limit of one request"

    def test_memory_that_runs_out_is_an_answer(self) -> None:
        def handle(fields: batch.Fields) -> batch.Answer:
            raise MemoryError

        out = io.StringIO()
        batch.answer_lines(io.BytesIO(b'{"name": "n"}\n'), out, handle)
        assert json.loads(out.getvalue()) == {"name": "n", "error": "line 1: too large for this machine (MemoryError)"}

    def test_hex_is_read_strictly(self) -> None:
        assert batch.parse_hex(" 0a\n0B ", "x") == b"\n\x0b"
        with pytest.raises(SpecError, match="x: '-' is no hex digit"):
            batch.parse_hex("0a-0b", "x")


class TestScenario:
    """Programs of an object on recorded contexts, in virtual time."""

    def play(self, tmp_path: Path, *events: Mapping[str, object] | str, file: Path = HEARTBEAT) -> Result:
        script = tmp_path / "events.jsonl"
        script.write_text("".join(f"{e if isinstance(e, str) else json.dumps(e)}\n" for e in events))
        return run("--object", str(file), "--events", str(script))

    @pytest.mark.parametrize("engine", ENGINES)
    def test_a_program_is_repeated_and_timed(self, tmp_path: Path, engine: str) -> None:
        script = tmp_path / "events.jsonl"
        script.write_text(json.dumps({"program": "heartbeat", "ctx": "64" + "00" * 15, "repeat": 5000}))
        result = run("--object", str(HEARTBEAT), "--events", str(script), "--engine", engine)
        answer, state = (json.loads(line) for line in result.stdout.splitlines())
        assert answer["r0"] == 0
        assert answer["ns_each"] > 0
        assert state["maps"]["ticks"] == {"00000000": (5001).to_bytes(8, "little").hex()}

    def test_programs_share_maps_and_the_state_comes_last(self, tmp_path: Path) -> None:
        due = {"program": "heartbeat", "ctx": "64" + "00" * 15}
        result = self.play(tmp_path, due, {"advance_ns": 100_000_000}, due)
        assert result.exit_code == 0
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert lines[:2] == [{"program": "heartbeat", "r0": 0}] * 2
        assert lines[2]["maps"]["ticks"] == {"00000000": "0200000000000000"}
        assert lines[2]["rings"] == {
            "beats": [f"6400000000000000{count:02x}00000000000000" for count in (1, 2)],
        }
        assert result.stderr == "tick 1\ntick 2\n"

    def test_entries_can_be_set(self, tmp_path: Path) -> None:
        entry = {"set": {"map": "ticks", "key": "00000000", "value": "2900000000000000"}}
        result = self.play(tmp_path, entry, {"program": "heartbeat", "ctx": "00" * 16})
        assert json.loads(result.stdout.splitlines()[-1])["maps"]["ticks"] == {"00000000": "2a00000000000000"}

    def test_entries_that_are_zero_are_left_out(self, tmp_path: Path) -> None:
        state = json.loads(self.play(tmp_path).stdout)
        assert state["maps"]["ticks"] == {}
        assert state["rings"] == {"beats": []}

    @pytest.mark.parametrize(
        ("event", "error"),
        [
            ("[]", "line 1: is []; each line holds one object"),
            ({}, "line 1: has none of `program`, `set` and `advance_ns`"),
            ({"program": "heart"}, "has no program 'heart'; its programs: heartbeat"),
            ({"advance_ns": -1}, "line 1: `advance_ns` is -1"),
            ({"set": 5}, "line 1: `set` is 5; it takes an object"),
            ({"set": {"map": "x"}}, "there is no map 'x'; the object's maps: "),
            ({"set": {"map": "beats", "key": "", "value": ""}}, "beats is a ring; its records come from programs"),
            ({"set": {"map": "ticks", "key": "00", "value": ""}}, "`key` has 1 bytes; ticks takes 4"),
            ({"set": {"map": "ticks", "key": "01000000", "value": "00" * 8}}, "ticks refuses the entry: E2BIG"),
            ({"set": {"map": "ticks", "key": "00000000", "program": "heartbeat"}}, "ticks is no prog_array"),
        ],
    )
    def test_an_event_that_cannot_be_is_answered(self, tmp_path: Path, event: object, error: str) -> None:
        result = self.play(tmp_path, event if isinstance(event, str) else json.dumps(event))
        assert result.exit_code == 0
        assert error in json.loads(result.stdout.splitlines()[0])["error"]

    def test_a_rejected_program_ends_it(self, tmp_path: Path) -> None:
        result = self.play(tmp_path, {"program": "heartbeat", "ctx": ""})  # it reads its context
        assert (result.exit_code, result.stdout) == (1, "")
        assert "[V201]" in result.stderr

    def test_a_damaged_object_ends_it(self, tmp_path: Path) -> None:
        broken = tmp_path / "broken.o"
        broken.write_bytes(HEARTBEAT.read_bytes()[:100])
        result = self.play(tmp_path, file=broken)
        assert (result.exit_code, result.stdout) == (1, "")
        assert str(broken) in result.stderr
