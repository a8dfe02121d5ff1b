"""A feed: a descriptor that reads as records of one size, for whoever serves it without a look at each record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from axiom_hw.adapters import gpio_record
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.errors import AxiomError
from axiom_hw.keys import HookKey


@dataclass(frozen=True, slots=True)
class Feed:
    """Lines of one chip, whose descriptor reads as `struct gpio_v2_line_event`s; or a device with a buffer of scans.

    `states` holds the state of each line (`gpio_record`), from number 1 on; number 0 counts records of other lines.
    Line n has the offset `offsets[n - 1]` on its chip, and the hooks of its rising and falling edges lie in `keys` from
    2 * n - 2 on. `settle` compares the lines with their last events, after a loss, when nothing is left to read; it
    says whether to come back once more. `failed` makes the error of a read that failed with an errno.

    Where `is_scans`, `states` is the device's (`iio_record`), and the keys are those of its channels, or of its scan.
    """

    fd: int
    states: Mem
    offsets: tuple[int, ...]
    keys: tuple[HookKey, ...]
    settle: Callable[[], bool]
    failed: Callable[[int], AxiomError]
    is_scans: bool = False
    record_bytes: int = gpio_record.RECORD_BYTES
    ctx_bytes: int = gpio_record.CTX_BYTES


class Server(Protocol):
    """Serves feeds; see `axiom_hw.pump`."""

    def run(self) -> None:
        """Serve in the calling thread, until `stop`. Raises the `AxiomError` of a feed that failed."""

    def stop(self) -> None:
        """Let `run` return when it has handled what it has read. From any thread."""

    def close(self) -> None:
        """Let go of everything but the feeds. When nobody runs."""


MakeServer = Callable[[Sequence[Feed]], Server]
