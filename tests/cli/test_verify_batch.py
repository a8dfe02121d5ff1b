"""`axiom-hw verify --batch`: one answer a line, in order, whatever the line holds."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.insn import encode
from axiom_hw.cli.batch import Answer, Fields, answer_lines
from axiom_hw.cli.verify_batch import unanswerable
from tests.bpf.case_format import Case, load, paths

KEYS = ["name", "verdict", "code", "pc", "message", "worst_case_insns", "verify_ms"]
ARRAY = {"type": "array", "key_size": 4, "value_size": 8, "max_entries": 1}


def code(text: str) -> str:
    return encode(assemble_insns(text, maps={"m": 0})).hex()


def request(name: str, text: str, **more: object) -> bytes:
    return json.dumps({"name": name, "insns": code(text), "maps": [], "ctx_size": 0} | more).encode() + b"\n"


@pytest.fixture
def ask(cli):
    def run(*lines: bytes) -> list[dict[str, object]]:
        result = cli("verify", "--batch", "-", stdin=b"".join(lines))
        assert (result.code, result.err) == (0, "")
        return [json.loads(line) for line in result.out.splitlines()]

    return run


def test_verdicts_come_in_order(ask):
    answers = ask(
        request("fine", "r0 = 0\nexit"),
        request("leaks", "r0 = r10\nexit"),
        request("reads its context", "r0 = *(u64 *)(r1 + 8)\nexit", ctx_size=16),
        request("reads behind it", "r0 = *(u64 *)(r1 + 8)\nexit", ctx_size=12),
    )
    assert [list(answer) for answer in answers] == [KEYS] * 4
    assert [(a["name"], a["verdict"], a["code"], a["pc"], a["worst_case_insns"]) for a in answers] == [
        ("fine", "accept", None, None, 2),
        ("leaks", "reject", "V106", 1, None),
        ("reads its context", "accept", None, None, 2),
        ("reads behind it", "reject", "V201", 0, None),
    ]
    assert "leaks at pc 1: [V106] the program would return a pointer" in str(answers[1]["message"])
    assert all(isinstance(a["verify_ms"], float) for a in answers)


def test_memory_is_writable_and_its_length_in_r2(ask):
    text = "r0 = r2\n*(u8 *)(r1 + 3) = 1\nexit"
    (answer,) = ask(request("mem", text, mem="00 01 02 03"))
    assert answer["verdict"] == "accept"
    (answer,) = ask(request("ctx", text, ctx_size=4))
    assert answer["code"] == "V101"  # r2 holds nothing there


@pytest.mark.parametrize(
    ("declared", "code_"),
    [
        (ARRAY, None),
        ({**ARRAY, "type": "BPF_MAP_TYPE_ARRAY"}, None),
        ({**ARRAY, "key_size": 3}, "V009"),
        ({**ARRAY, "max_entries": 10**9}, "V009"),
        ({**ARRAY, "max_entries": 0}, "V009"),
        ({**ARRAY, "value_size": 0}, "V009"),
        ({"type": "ringbuf", "max_entries": 1000}, "V009"),
        ({**ARRAY, "type": "lru_hash"}, "V008"),
        ({**ARRAY, "value_size": 24, "fields": [{"kind": "timer", "offset": 8}]}, "V008"),
    ],
)
def test_maps_that_cant_be_made(ask, declared, code_):
    (answer,) = ask(request("map", "r1 = map[m] ll\nr0 = 0\nexit", maps=[declared]))
    assert answer["code"] == code_


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "is []; each line holds one object"),
        (b"3", "is 3; each line holds one object"),
        (b"[" * 100_000, "nests too deep"),
        (b"1" * 10_000, "is no JSON"),
        (b'{"insns": 5}', "`insns` is 5; it takes a string"),
        (b'{"insns": "zz"}', "'z' is no hex digit"),
        (b'{"insns": "950"}', "hex digits come in pairs"),
        (b"{}", "`insns` is missing"),
        (b'{"insns": "", "maps": 1}', "`maps` is 1; it takes a list"),
        (b'{"insns": "", "maps": [1]}', "`maps[0]` is 1; it takes an object"),
        (b'{"insns": "", "maps": [{"type": "sockmap"}]}', '`type` is "sockmap"; the types are hash, array, '),
        (b'{"insns": "", "ctx_size": -1}', "`ctx_size` is -1; it takes an integer from 0 to "),
        (b'{"insns": "", "ctx_size": 1e999}', "`ctx_size` is Infinity; it takes an integer"),
        (b'{"insns": "", "ctx_size": true}', "`ctx_size` is true; it takes an integer"),
        (b'{"insns": "", "mem": 7}', "`mem` is 7; it takes a string"),
    ],
)
def test_a_line_that_isnt_understood_is_answered_too(ask, line, message):
    odd, after = ask(line + b"\n", request("after", "r0 = 0\nexit"))
    assert (odd["verdict"], odd["code"], odd["pc"], odd["worst_case_insns"]) == ("reject", "E001", None, None)
    assert str(odd["message"]).startswith("line 1")
    assert message in str(odd["message"])
    assert odd["error"] == odd["message"]
    assert after["verdict"] == "accept"


def test_slots_that_are_no_instructions(ask):
    cut, empty, odd = ask(
        b'{"name": "cut", "insns": "b700000000000000 95"}\n',
        b'{"name": "empty", "insns": ""}\n',
        b'{"name": "odd", "insns": "b700000000000000 ff00000000000000 9500000000000000"}\n',
    )
    assert (cut["code"], cut["pc"]) == ("V001", 1)
    assert (empty["code"], empty["pc"]) == ("V002", 0)
    assert (odd["code"], odd["pc"]) == ("V001", 1)


def test_a_line_longer_than_any_program_is_skipped(ask, monkeypatch):
    from axiom_hw.cli import batch

    monkeypatch.setattr(batch.lines, "__defaults__", (1000,))
    long, after = ask(b'{"name": "' + b"x" * 5000 + b'"}\n', request("after", "r0 = 0\nexit"))
    assert (long["verdict"], long["code"]) == ("reject", "E001")
    assert "is longer than" in str(long["message"])
    assert after["verdict"] == "accept"


@pytest.fixture
def no_gc_callbacks():
    """What hypothesis left there is Python, and swallows what is raised in the middle of it."""
    left = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = left


@pytest.mark.usefixtures("no_gc_callbacks")
def test_a_proof_that_takes_too_long_is_a_rejection(ask, monkeypatch):
    from axiom_hw.cli import verify_batch

    monkeypatch.setattr(verify_batch, "REQUEST_SECONDS", 0.05)
    endless = "r0 = 0\nloop:\nr0 += 1\nif r0 < 10000000 goto loop\nexit"
    slow, after = ask(request("slow", endless), request("after", "r0 = 0\nexit"))
    assert (slow["verdict"], slow["code"]) == ("reject", "V403")
    assert after["verdict"] == "accept"


def test_a_file_of_requests(cli, tmp_path):
    file = tmp_path / "requests.jsonl"
    file.write_bytes(request("a", "r0 = 0\nexit") + b"\n\n" + request("b", "exit"))
    answers = [json.loads(line) for line in cli("verify", "--batch", file).out.splitlines()]
    assert [(a["name"], a["verdict"]) for a in answers] == [("a", "accept"), ("b", "reject")]
    missing = cli("verify", "--batch", tmp_path / "none")
    assert (missing.code, missing.err.splitlines()[0]) == (
        1,
        f"{tmp_path}/none: can't be read: No such file or directory",
    )


def test_each_answer_comes_before_the_next_request(tmp_path):
    command = [sys.executable, "-m", "axiom_hw", "verify", "--batch", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as tool:
        assert tool.stdin is not None
        assert tool.stdout is not None
        for name in ("first", "second"):
            tool.stdin.write(request(name, "r0 = 0\nexit"))
            tool.stdin.flush()
            assert json.loads(tool.stdout.readline())["name"] == name
        tool.stdin.close()
        assert tool.wait(timeout=20) == 0


def test_a_bug_of_ours_ends_one_request_only(capsys):
    """Whatever goes wrong in the verifier, the process that a client drives goes on, and nothing is accepted."""

    def stumble(fields: Fields) -> Answer:
        raise AssertionError("impossible")

    out = io.StringIO()
    answer_lines(io.BytesIO(b'{"name": "meets it"}\n[]\n'), out, stumble, failed=unanswerable)
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["name"], first["verdict"], first["code"]) == ("meets it", "reject", "E003")
    assert first["error"] == "line 1: a bug in axiom-hw: AssertionError: impossible"
    assert second["code"] == "E001"
    assert "AssertionError: impossible" in capsys.readouterr().err


def test_the_corpus_gets_the_same_verdicts_through_the_command(cli):
    """Every case that a request can express: code and pc are those that its file pins."""
    asked = [case for case in map(load, paths()) if case.max_insns is None and not case.spec.ctx.layout]
    result = cli("verify", "--batch", "-", stdin=b"".join(map(_as_request, asked)))
    assert (result.code, result.err) == (0, "")
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert len(answers) == len(asked) >= 400
    for case, answer in zip(asked, answers, strict=True):
        expected = ("reject", case.reject.code, case.reject.pc) if case.reject else ("accept", None, None)
        assert (answer["verdict"], answer["code"], answer["pc"]) == expected, case.spec.name


def _as_request(case: Case) -> bytes:
    spec = case.spec
    maps = [
        {"type": m.type.name.lower(), "key_size": m.key_size, "value_size": m.value_size, "max_entries": m.max_entries,
         "flags": m.flags, "frozen": m.frozen, "data_hex": None if m.data is None else m.data.hex(),
         "fields": [{"kind": f.kind.name.lower(), "offset": f.offset} for f in m.fields]}
        for m in spec.maps
    ]  # fmt: skip
    body = {"name": spec.name, "insns": encode(spec.insns).hex(), "maps": maps, "ctx_size": spec.ctx.size}
    return json.dumps(body | ({"mem": bytes(spec.ctx.size).hex()} if spec.ctx.length_in_r2 else {})).encode() + b"\n"
