"""One case, one file: a small program, and what the verifier and the interpreter must say about it.

# What the case is about, in one sentence.
-- maps                     optional; a line a map, its flags behind it
counts array key=4 value=8 entries=4
limits array key=4 value=8 entries=1 rdonly_prog frozen data=0102
beats ringbuf entries=4096
-- ctx                      optional; the size in bytes (32 where absent), then its content in hex (else zeros)
32
2a 00 00 00
-- mem                      instead of ctx: writable memory in r1, its length in r2
01 02 03 04
-- asm                      or -- hex: a slot a line, for what the assembler can't spell
    r0 = *(u32 *)(r1 + 0)
    exit
-- accept                   the verifier accepts it
-- r0                       the verifier accepts it, and this is the result
42
-- reject                   the verifier refuses it: the code, and the pc that the message is about
V103 at 7
-- message                  optional; the whole text of the refusal
-- limits                   optional; what the verifier may spend
insns=20000
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.insn import Insn, decode
from axiom_hw.bpf.spec import CtxSpec, MapFlag, MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verifier.codes import BY_ID

CASES: Final = Path(__file__).parent / "cases"
DEFAULT_CTX_BYTES: Final = 32
_SECTIONS: Final = frozenset(("maps", "ctx", "mem", "asm", "hex", "accept", "r0", "reject", "message", "limits"))
_MAP_NUMBERS: Final = {"key": "key_size", "value": "value_size", "entries": "max_entries"}
_VERDICT: Final = re.compile(r"(V\d{3}) at (\d+)")


class CaseError(ValueError):
    """A case file that can't be understood: the file, the line and the reason."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A refusal: the verifier's code, and the slot of the instruction that it is about."""

    code: str
    pc: int


@dataclass(frozen=True, slots=True)
class Case:
    """A parsed file. `ctx` is the content of the context; exactly one of `reject` and acceptance holds."""

    path: Path
    about: str
    spec: ProgramSpec
    ctx: bytes
    reject: Verdict | None
    message: str | None
    r0: int | None  # unsigned; None where the result doesn't matter
    max_insns: int | None


@dataclass(frozen=True, slots=True)
class _Section:
    """The lines between two `--` lines. `line` is the number of the first."""

    line: int
    rows: tuple[str, ...]

    @property
    def filled(self) -> list[tuple[int, str]]:
        return [(self.line + i, row.strip()) for i, row in enumerate(self.rows) if row.strip()]


def paths() -> list[Path]:
    """All case files, in order."""
    return sorted(CASES.rglob("*.case"))


def load(path: Path) -> Case:
    """Read one file. Raises `CaseError` with file and line; `AsmError` for its assembly, likewise."""
    return parse(path, path.read_text())


def parse(path: Path, text: str) -> Case:
    """Read the text of one file; `path` names it."""
    lines = text.splitlines()
    if not lines or not re.fullmatch(r"# .+\.", lines[0]):
        raise CaseError(path, 1, "the first line is `# ` and a sentence on what the case is about")
    sections = _split(path, lines)
    wanted = [name for name in ("accept", "r0", "reject") if name in sections]
    if not wanted or ("reject" in wanted and len(wanted) > 1):
        raise CaseError(path, len(lines), "a case has `-- accept` or `-- r0`, or else `-- reject`")
    if "message" in sections and "reject" not in sections:
        raise CaseError(path, sections["message"].line, "only a refusal has a message")
    maps = tuple(_map(path, number, row) for number, row in sections["maps"].filled) if "maps" in sections else ()
    ctx_spec, ctx = _context(path, sections)
    spec = ProgramSpec(path.stem, _insns(path, sections, maps), maps, ctx_spec)
    reject = _verdict(path, sections["reject"]) if "reject" in sections else None
    message = "\n".join(sections["message"].rows) if "message" in sections else None
    r0 = _number(path, *_only(path, sections["r0"]), low=-(1 << 63), high=(1 << 64) - 1) if "r0" in sections else None
    return Case(
        path, lines[0][2:], spec, ctx, reject, message, None if r0 is None else r0 % (1 << 64), _limit(path, sections)
    )


def _split(path: Path, lines: list[str]) -> Mapping[str, _Section]:
    found: dict[str, _Section] = {}
    heads = [i for i, line in enumerate(lines) if line.startswith("--")]
    stray = next((i for i in range(1, heads[0] if heads else len(lines)) if lines[i].strip()), None)
    if stray is not None:
        raise CaseError(path, stray + 1, f"{lines[stray]!r} stands in front of the first section")
    for head, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        name = lines[head].removeprefix("--").strip()
        if name not in _SECTIONS:
            raise CaseError(path, head + 1, f"there is no section {name!r}; there are {', '.join(sorted(_SECTIONS))}")
        if name in found:
            raise CaseError(path, head + 1, f"a second section {name!r}")
        found[name] = _Section(head + 2, tuple(lines[head + 1 : end]))
    return found


def _insns(path: Path, sections: Mapping[str, _Section], maps: tuple[MapSpec, ...]) -> tuple[Insn, ...]:
    if ("asm" in sections) == ("hex" in sections):
        raise CaseError(path, 1, "a case has `-- asm` or `-- hex`")
    if "hex" in sections:
        return decode(b"".join(_bytes(path, number, row, 8) for number, row in sections["hex"].filled))
    section = sections["asm"]
    # Blank lines in front let the assembler's errors count as the file does.
    text = "\n" * (section.line - 1) + "\n".join(section.rows)
    return assemble_insns(text, place=str(path), maps={spec.name: i for i, spec in enumerate(maps)})


def _context(path: Path, sections: Mapping[str, _Section]) -> tuple[CtxSpec, bytes]:
    if "mem" in sections:
        if "ctx" in sections:
            raise CaseError(path, sections["ctx"].line, "a case has `-- ctx` or `-- mem`")
        data = b"".join(_bytes(path, number, row) for number, row in sections["mem"].filled)
        return CtxSpec(len(data), writable=True, length_in_r2=True), data
    if "ctx" not in sections:
        return CtxSpec(DEFAULT_CTX_BYTES), bytes(DEFAULT_CTX_BYTES)
    rows = sections["ctx"].filled
    if not rows:
        raise CaseError(path, sections["ctx"].line, "a context begins with its size in bytes")
    size = _number(path, *rows[0], low=0, high=4096)
    data = b"".join(_bytes(path, number, row) for number, row in rows[1:])
    if len(data) > size:
        raise CaseError(path, rows[1][0], f"{len(data)} bytes of content in a context of {size}")
    return CtxSpec(size), data.ljust(size, b"\0")


def _map(path: Path, number: int, row: str) -> MapSpec:
    name, *words = row.split()
    types = {kind.name.lower(): kind for kind in MapType}
    if not words or words[0] not in types:
        raise CaseError(path, number, f"{row!r} isn't a name, then a type, which is one of {', '.join(types)}")
    sizes = dict.fromkeys(_MAP_NUMBERS.values(), 0)
    flags, frozen, data = 0, False, None
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if equals and key in _MAP_NUMBERS:
            sizes[_MAP_NUMBERS[key]] = _number(path, number, value, low=0, high=1 << 32)
        elif equals and key == "data":
            data = _bytes(path, number, value)
        elif word == "frozen":
            frozen = True
        elif word.upper() in MapFlag.__members__:
            flags |= MapFlag[word.upper()]
        else:
            raise CaseError(path, number, f"{word!r} is neither key=, value=, entries=, data=, frozen nor a flag")
    return MapSpec(
        name, types[words[0]], sizes["key_size"], sizes["value_size"], sizes["max_entries"], flags, data=data,
        frozen=frozen,
    )  # fmt: skip


def _verdict(path: Path, section: _Section) -> Verdict:
    number, row = _only(path, section)
    found = _VERDICT.fullmatch(row)
    if not found or found[1] not in BY_ID:
        raise CaseError(path, number, f"{row!r} isn't a code of the verifier and a pc, such as `V103 at 7`")
    return Verdict(found[1], int(found[2]))


def _limit(path: Path, sections: Mapping[str, _Section]) -> int | None:
    if "limits" not in sections:
        return None
    number, row = _only(path, sections["limits"])
    if not row.startswith("insns="):
        raise CaseError(path, number, f"{row!r} isn't `insns=` and a number")
    return _number(path, number, row.removeprefix("insns="), low=1, high=1_000_000)


def _only(path: Path, section: _Section) -> tuple[int, str]:
    if len(section.filled) != 1:
        raise CaseError(path, section.line, f"one line belongs here, not {len(section.filled)}")
    return section.filled[0]


def _number(path: Path, number: int, text: str, *, low: int, high: int) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise CaseError(path, number, f"{text!r} is no number") from None
    if not low <= value <= high:
        raise CaseError(path, number, f"{value} is not in {low} to {high}")
    return value


def _bytes(path: Path, number: int, text: str, size: int | None = None) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise CaseError(path, number, f"{text!r} isn't bytes in hex") from None
    if size is not None and len(data) != size:
        raise CaseError(path, number, f"a slot has {size} bytes, not {len(data)}")
    return data
