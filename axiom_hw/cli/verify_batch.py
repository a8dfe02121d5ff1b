"""`axiom-hw verify --batch`: a verdict for each request, whatever the request holds.

`{"name", "insns", "maps", "ctx_size" or "mem"}` is answered by `{"name", "verdict", "code", "pc", "message",
"worst_case_insns", "verify_ms"}`. A request that isn't understood is a rejection as well, with a code of its own and
an `error`: nobody can say of such a program that it is safe.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter_ns
from typing import IO, Final

from axiom_hw.bpf.insn import SLOT_BYTES
from axiom_hw.bpf.spec import CtxSpec, ProgramSpec
from axiom_hw.bpf.verifier import Rejected, verify
from axiom_hw.cli.batch import Answer, Fields, InternalError, TimeUp, TooLarge, answer_lines, program_spec
from axiom_hw.cli.request_codes import INTERNAL, MALFORMED, TOO_LARGE
from axiom_hw.errors import AxiomError, EncodingError, SpecError

# The proof has limits of its own; these are for what comes before it, on a slow machine.
REQUEST_SECONDS: Final = 60.0


def verify_batch(file: str) -> None:
    """Answer the requests in a file, `-` being standard input. Raises `SpecError` where it can't be read."""
    if file == "-":
        _answer(sys.stdin.buffer)
        return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            fix = "name a file of JSON lines, or - for standard input"
            raise SpecError(file, f"can't be read: {error.strerror}", fix) from None
        _answer(stream)


def judge(fields: Fields) -> Answer:
    """The verdict on one request. Raises `SpecError` for a request that isn't understood."""
    start = perf_counter_ns()
    try:
        verified = verify(_program(fields))
    except EncodingError as error:  # of the length: what is in the slots is the verifier's question
        pc = len(fields.data("insns")) // SLOT_BYTES
        return _rejection("V001", pc, str(error), start)
    except Rejected as refusal:
        return _rejection(refusal.code, refusal.pc, str(refusal), start)
    return _answer_of("accept", "", None, "", verified.worst_case_insns, start)


def unanswerable(error: AxiomError) -> Answer:
    """The verdict on a request that isn't understood, or takes too long or too much."""
    match error:
        case TimeUp():
            code = "V403"
        case TooLarge():
            code = TOO_LARGE.id
        case InternalError():
            code = INTERNAL.id
        case _:
            code = MALFORMED.id
    return {**_rejection(code, None, str(error), perf_counter_ns()), "error": str(error)}


def _answer(stream: IO[bytes]) -> None:
    answer_lines(stream, sys.stdout, judge, REQUEST_SECONDS, unanswerable)


def _program(fields: Fields) -> ProgramSpec:
    if "mem" in fields:
        return program_spec(fields, CtxSpec(len(fields.data("mem")), writable=True, length_in_r2=True))
    return program_spec(fields)


def _rejection(code: str, pc: int | None, message: str, start: int) -> Answer:
    return _answer_of("reject", code, pc, message, None, start)


def _answer_of(verdict: str, code: str, pc: int | None, message: str, worst: int | None, start: int) -> Answer:
    return {
        "verdict": verdict,
        "code": code or None,
        "pc": pc,
        "message": message or None,
        "worst_case_insns": worst,
        "verify_ms": round((perf_counter_ns() - start) / 1e6, 3),
    }
