"""A source of events: an adapter that serves itself in real time, and is served in virtual time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Source(Protocol):
    """Raises events until it is closed.

    Synchronization: `start`, `stop` and `close` by one owner; `pump` in the thread that moves a virtual clock.
    """

    def start(self) -> None:
        """Real time: let events come, from threads of its own."""
        ...

    def stop(self) -> None:
        """Let no further event come, and wait for the one that is under way. What was started may be started again."""
        ...

    def close(self) -> None:
        """Stop, and give the devices back. Twice is fine."""
        ...

    def ready(self) -> bool:
        """Virtual time: whether `pump` would raise an event now. What comes at a time is the scheduler's to say."""
        ...

    def pump(self) -> int:
        """Virtual time: raise what is there, and say how many events that were. Never waits."""
        ...


@runtime_checkable
class Losing(Protocol):
    """A source that says at the end of a run what didn't come through.

    Synchronization: any thread.
    """

    def losses(self) -> tuple[str, ...]:
        """A sentence for each device that failed or lost something; nothing where all is well."""
        ...
