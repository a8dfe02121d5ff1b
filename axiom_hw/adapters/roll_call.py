"""A question to a thread that serves devices: do you still come round? It answers when it does."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class RollCall:
    """The question to one thread. `name` says which, as a sentence begins: `the thread of serial gps`.

    Synchronization: one thread asks, the one that is asked answers, any looks. Each number has one writer.
    """

    __slots__ = ("_answered", "_asked", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._asked = 0
        self._answered = 0

    def ask(self) -> None:
        """Ask. Whoever asks then wakes the thread."""
        self._asked += 1

    def answer(self) -> None:
        """The thread is where it can be reached."""
        self._answered = self._asked

    @property
    def is_silent(self) -> bool:
        """Whether the last question is open."""
        return self._answered != self._asked


@runtime_checkable
class Answering(Protocol):
    """A source whose threads can be asked. Those that only run programs needn't: what they run shows it.

    Synchronization: by one thread, between `start` and `stop`.
    """

    def call_roll(self) -> tuple[RollCall, ...]:
        """Ask each thread that serves devices, and wake it. Returns at once."""
        ...
