"""What a service's process ends with, and what systemd makes of it."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

import axiom_hw as hw
from axiom_hw.bpf.asm import assemble
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.verifier import verify
from axiom_hw.bpf.verifier.rejection import Rejected
from axiom_hw.errors import (
    AxiomError,
    BackendError,
    BoardError,
    ClockError,
    HookError,
    MissingDependency,
    OtherMachine,
    OutputError,
    SpecError,
)
from axiom_hw.service import FINAL, Exit, SelfTestFailed, exit_of

PAGE = Path(__file__).parents[1] / "docs/service.md"


@pytest.mark.parametrize(
    ("error", "code", "is_final"),
    [
        (BackendError("line 17", "is in use", errno=errno.EBUSY), Exit.BUSY, False),
        (BackendError("serial gps", "isn't there", errno=errno.ENODEV), Exit.ABSENT, False),
        (BackendError("serial gps", "went away", errno=errno.EIO), Exit.DEVICE, False),
        (BackendError("i2c", "may not be opened", errno=errno.EACCES), Exit.FORBIDDEN, True),
        (OtherMachine("pinctrl-rp1", "isn't there; rpi5 is for another", errno=errno.ENODEV), Exit.BOARD, True),
        (BoardError("boards/x.toml:3", "has no key"), Exit.BOARD, True),
        (MissingDependency("--engine llvm", "can't be had"), Exit.BOARD, True),
        (HookError("section 'gpio/x'", "names no hook"), Exit.REFUSED, True),
        (SpecError("app.py", "is no Python"), Exit.REFUSED, True),
        (OutputError("the outputs", "are guarded by another process"), Exit.BUSY, False),
        (SelfTestFailed("self-test", "no answer"), Exit.UNTESTED, False),
        (ClockError("clock", "runs backwards"), Exit.FAILED, False),
    ],
)
def test_each_kind_of_failure_has_its_number(error: AxiomError, code: Exit, is_final: bool) -> None:
    assert exit_of(error) is code
    assert (code in FINAL) is is_final


def test_a_program_that_is_refused_isnt_tried_again() -> None:
    with pytest.raises(Rejected) as rejected:
        verify(assemble('.ctx 8\n.section "timer/1s"\ntick:\nr0 = *(u64 *)(r1 + 8)\nexit\n').programs[0])
    app = hw.App("x")

    @app.on("timer/1s")
    def tick(ctx: hw.TimerEvent) -> int:
        with open("log"):
            return 0

    with pytest.raises(Refused) as refused:
        app.specs()
    assert exit_of(rejected.value) is exit_of(refused.value) is Exit.REFUSED


def test_numbers_are_none_of_a_shell_or_of_systemd() -> None:
    """126 and up are the shell's, 200 and up systemd's own; the names beside them are those of sysexits.h."""
    assert [int(one) for one in Exit] == [0, 1, 2, 65, 69, 70, 74, 75, 77, 78]


def test_the_page_on_services_lists_them_all() -> None:
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    told = {int(number): "**no**" not in again for _, number, _name, _why, again, _ in rows}
    assert told == {int(one): one not in FINAL for one in Exit}
