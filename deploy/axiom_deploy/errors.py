"""Why a deploy can't go on, as whoever deploys meets it."""

from __future__ import annotations

from axiom_hw.errors import AxiomError


class DeployError(AxiomError):
    """A deploy that stops. `place` is the board, or the file; the board's state is told beside it."""


class Unreachable(DeployError, OSError):
    """A board that doesn't answer, doesn't let us in, or isn't the one that it was."""


class Unfit(DeployError):
    """A board that can't run this application, found out before anything was changed on it."""


class Refused(DeployError):
    """A program that the verifier refuses, so that it doesn't travel."""


class NoWheels(DeployError):
    """A package that nobody built for this board's Python and processor."""


class Cut(DeployError):
    """The connection ended in the middle of a step."""
