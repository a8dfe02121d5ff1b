"""What can go wrong, as a user meets it: each error names the place, the problem and the way out.

Every exception of this package is an `AxiomError` and, where Python has one, also the built-in of the same
meaning, so `except ValueError` and `except OSError` keep working. The text is a view of the fields.
"""

from __future__ import annotations

from errno import EIO


class AxiomError(Exception):
    """The family. `place` says where, `problem` what (value and limit), `fix` what to do about it."""

    def __init__(self, place: str, problem: str, fix: str = "") -> None:
        super().__init__(place, problem, fix)
        self.place = place
        self.problem = problem
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.place}: {self.problem}" if self.place else self.problem
        return f"{text}\n    fix    {self.fix}" if self.fix else text


class EncodingError(AxiomError, ValueError):
    """Bytes that are no instruction of RFC 9669, or an instruction with a field out of its range."""


class AsmError(AxiomError, ValueError):
    """Assembly text that the assembler can't read."""


class SpecError(AxiomError, ValueError):
    """A program or map declaration that contradicts itself."""


class ObjectError(AxiomError, ValueError):
    """An ELF object that is damaged, for another machine, or misses a section."""


class MapError(AxiomError, ValueError):
    """A map that can't be made, or an access that its type doesn't have."""


class MapKeyError(MapError, KeyError):
    """A key that a map doesn't have."""


class MapFull(MapError):
    """An insert into a map that holds `max_entries` entries."""


class BoardError(AxiomError, ValueError):
    """A board file that can't be understood, or that claims one line twice."""


class HookError(AxiomError, ValueError):
    """A hook that doesn't exist, or a program that can't be attached to it."""


class BackendError(AxiomError, OSError):
    """A device that is missing, busy, not permitted, or failed. Backends raise nothing else.

    `errno` is the kernel's number, so that `except OSError as e: e.errno == EBUSY` keeps working.
    """

    def __init__(self, place: str, problem: str, fix: str = "", errno: int = EIO) -> None:
        super().__init__(place, problem, fix)
        self.errno = errno
        self.strerror = problem
        self.filename = None  # OSError would take it from the third argument


class OtherMachine(BackendError):
    """A device that isn't there because the board file is for another machine."""


class OutputError(AxiomError, ValueError):
    """An output that the guard refuses to drive."""


class ClockError(AxiomError, ValueError):
    """A clock that was asked to run backwards, or a deadline that isn't a time."""


class RecordingError(AxiomError, ValueError):
    """A recording that can't be written, is damaged, or was made by something else."""


class TwinError(AxiomError, RuntimeError):
    """The virtual machine that stands in for a board: it can't be built or started, or a command in it hangs."""


class MissingDependency(AxiomError, ImportError):
    """An optional package that this feature needs."""


class Fault(AxiomError, RuntimeError):
    """A trap at run time: an access outside the live regions, or a budget that ran out.

    `pc` is the slot of the instruction, `address` what it touched (None where it touched no memory), `region` the
    name of the nearest region.
    """

    def __init__(self, program: str, pc: int, problem: str, address: int | None = None, region: str = "") -> None:
        super().__init__(f"{program} at pc {pc}", problem)
        self.program = program
        self.pc = pc
        self.address = address
        self.region = region
