"""What a fuzzing run tells: how many programs, how many accepted, why others weren't; and a finding as a case."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from axiom_hw.bpf.disasm import Names, text_of
from axiom_hw.bpf.insn import second_slots
from axiom_hw.bpf.spec import MapFlag, MapSpec, ProgramSpec


@dataclass
class Tally:
    """Counts of one run."""

    name: str
    seed: int
    programs: int = 0
    accepted: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """The accepted part, 0 to 1."""
        return self.accepted / self.programs if self.programs else 0.0

    def __str__(self) -> str:
        codes = "  ".join(f"{code} {n}" for code, n in sorted(self.codes.items()))
        return (
            f"{self.name}: {self.programs} programs, {self.accepted} accepted ({self.share:.0%}), "
            f"FUZZ_SEED={self.seed}\n    refused: {codes or 'none'}"
        )


def as_case(spec: ProgramSpec, problem: str) -> str:
    """A finding as the text of a case file: what remains is to say what the verifier should have said."""
    rows = [f"# Found by the fuzzer: {problem.splitlines()[0].rstrip('.')}."]
    if spec.maps:
        rows += ["-- maps", *(_map(m) for m in spec.maps)]
    rows += ["-- mem", bytes(spec.ctx.size).hex(" ")] if spec.ctx.writable else ["-- ctx", str(spec.ctx.size)]
    rows.append("-- asm")
    skipped, names = second_slots(spec.insns), Names(tuple(m.name for m in spec.maps), helpers=True)
    for pc in range(len(spec.insns)):
        if pc not in skipped:
            rows.append(f"    {text_of(spec.insns, pc, names):40} // {pc}")
    return "\n".join([*rows, "-- accept", ""])


def _map(spec: MapSpec) -> str:
    sizes = (("key", spec.key_size), ("value", spec.value_size), ("entries", spec.max_entries))
    words = [spec.name, spec.type.name.lower(), *(f"{key}={n}" for key, n in sizes if n)]
    words += [flag.name.lower() for flag in MapFlag if spec.flags & flag]
    words += ["frozen"] if spec.frozen else []
    words += [f"data={spec.data.hex()}"] if spec.data else []
    return " ".join(words)
