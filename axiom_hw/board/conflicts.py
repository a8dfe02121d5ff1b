"""Two claims to one name, one pin or one PWM channel; the second one is told where the first one stands."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from axiom_hw.board.model import Chip, InputLine, OutputLine, PwmChannel, PwmChip
from axiom_hw.board.pins import known_chip, known_pwm
from axiom_hw.board.table import Places
from axiom_hw.errors import BoardError


@dataclass(frozen=True, slots=True)
class Claim:
    """What one row needs for itself: equal keys can't both be had. `what` is its name for people."""

    key: Hashable
    what: str
    fix: str


def refuse_conflicts(
    places: Places,
    chips: tuple[Chip, ...],
    pwm_chips: tuple[PwmChip, ...],
    inputs: tuple[InputLine, ...],
    outputs: tuple[OutputLine | PwmChannel, ...],
) -> None:
    """Raise `BoardError` at the second of two rows that can't both be had."""
    owners: dict[Hashable, tuple[str, str]] = {}
    for row in (*inputs, *outputs):
        path = ("input" if isinstance(row, InputLine) else "output", row.name)
        for claim in _claims(row, chips, pwm_chips):
            is_new = claim.key not in owners
            owner = owners.setdefault(claim.key, path)
            if not is_new:
                first = f"{owner[0]} `{owner[1]}`, {places.of(owner).partition(' ')[0]}"
                raise BoardError(places.of(path), f"{claim.what} is taken by {first}", claim.fix)


def _claims(
    row: InputLine | OutputLine | PwmChannel, chips: tuple[Chip, ...], pwm_chips: tuple[PwmChip, ...]
) -> Iterator[Claim]:
    yield Claim(row.name, f"the name `{row.name}`", "rename one of them: hooks and outputs are found by name")
    one_purpose = "a pin has one purpose: move one of them"
    if not isinstance(row, PwmChannel):
        label = chips[row.chip_id].label
        pin = f"GPIO{row.line}" if known_chip(label) else f"line {row.line}"
        yield Claim((label, row.line), f"{pin} of {label}", one_purpose)
        return
    if row.motor is not None:
        label = chips[row.motor.chip_id].label if row.motor.lines else ""
        for line in row.motor.lines:
            pin = f"GPIO{line}" if known_chip(label) else f"line {line}"
            yield Claim((label, line), f"{pin} of {label}", one_purpose)
    if (pulsed := pwm_chips[row.chip_id].software_label) is not None:
        pin = f"GPIO{row.channel}" if known_chip(pulsed) else f"line {row.channel}"
        yield Claim((pulsed, row.channel), f"{pin} of {pulsed}", one_purpose)
        return
    device = pwm_chips[row.chip_id].device
    channel = f"channel {row.channel} of {device}"
    yield Claim((device, "channel", row.channel), channel, "give one of them another channel")
    known = known_pwm(device)
    if known and row.pin is not None:
        yield Claim((known.label, row.pin), f"GPIO{row.pin}, where {channel} comes out,", one_purpose)
