"""A GPIO backend whose inputs' first levels and outputs' values are told to somebody."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from axiom_hw.backends.gpio import GpioBackend, GpioChip, GpioRequest, LineEvent, LineInput, LineOutput
from axiom_hw.errors import BackendError

OnValue = Callable[[str, int, int], object]
"""Told the chip's label, the line's offset and its logical value."""


class WatchedGpio:
    """Another backend, watched: `on_level` is told of each input when it is taken, `on_write` of each value written.

    Synchronization: as the backend's; both are called by the thread that reads or writes, after it has.
    """

    def __init__(self, backend: GpioBackend, on_level: OnValue, on_write: OnValue) -> None:
        self._backend = backend
        self._on_level = on_level
        self._on_write = on_write

    def open(self, label: str) -> GpioChip:
        """See `GpioBackend.open`."""
        return _Chip(self._backend.open(label), self._on_level, self._on_write)


class _Chip:
    """Synchronization: as the chip's."""

    def __init__(self, chip: GpioChip, on_level: OnValue, on_write: OnValue) -> None:
        self._chip = chip
        self._on_level = on_level
        self._on_write = on_write

    @property
    def label(self) -> str:
        return self._chip.label

    def request_inputs(self, lines: Sequence[LineInput], consumer: str, event_buffer_size: int = 0) -> GpioRequest:
        request = self._chip.request_inputs(lines, consumer, event_buffer_size)
        try:
            for line in lines:
                self._on_level(self.label, line.offset, request.get(line.offset))
        except BackendError:
            request.release()
            raise
        return request

    def request_outputs(self, lines: Sequence[LineOutput], consumer: str) -> GpioRequest:
        request = self._chip.request_outputs(lines, consumer)
        for line in lines:
            self._on_write(self.label, line.offset, line.value)
        return _Outputs(request, self.label, self._on_write)

    def close(self) -> None:
        self._chip.close()


class _Outputs:
    """Synchronization: as the request's."""

    def __init__(self, request: GpioRequest, label: str, on_write: OnValue) -> None:
        self._request = request
        self._label = label
        self._on_write = on_write

    @property
    def offsets(self) -> tuple[int, ...]:
        return self._request.offsets

    def get(self, offset: int) -> int:
        return self._request.get(offset)

    def set(self, offset: int, value: int) -> None:
        self._request.set(offset, value)
        self._on_write(self._label, offset, value)

    def fileno(self) -> int:
        return self._request.fileno()

    def descriptor(self) -> int | None:
        """None: what native code wrote wouldn't be seen."""
        return None

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        return self._request.read_events(max_events)

    def release(self) -> None:
        self._request.release()
