"""What a run says to the person at the terminal, and hears from: signals, mistakes, faults, losses."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from errno import ENODEV
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from axiom_hw.adapters.source import Losing
from axiom_hw.backends.limits import GpioChoice, limits_of
from axiom_hw.backends.machine_pwm import Pulser, pulsed_lines
from axiom_hw.board import Board, detect
from axiom_hw.board.find import other_machine
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.maps import HashMap, Map, RingReader
from axiom_hw.engines import why_not
from axiom_hw.errors import AxiomError, BackendError, Fault, OtherMachine
from axiom_hw.hooks import Link
from axiom_hw.runtime import Runtime, Trace
from axiom_hw.service.journal import Priority, say

if TYPE_CHECKING:
    from axiom_hw.recorder.reading import Recording
    from axiom_hw.recorder.tap import Tap

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal went away, as when an SSH connection drops
_TOLD: Final[list[str]] = []  # why there is no native code, once that was said
_OURS: Final = str(Path(__file__).parent) + os.sep


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the program like an exception, so that every `finally` on the way runs: exit 128 + n.

    A handler that somebody set, or `nohup`, stays. Outside of the main thread, which alone hears signals, this does
    nothing.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    ours = [n for n in _ENDING if _is_main() and signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def threads_watched(failed: Callable[[], None]) -> Iterator[None]:
    """Where a thread ends by an exception, its traceback is printed as ever, and `failed` is called.

    A run whose timers or edges have stopped coming must end, with its outputs safe, and not look alive.
    """
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        before(args)
        failed()

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


@contextmanager
def undisturbed() -> Iterator[None]:
    """No signal interrupts the block, not even Ctrl-C pressed twice: for bringing outputs to their safe states."""
    before = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, *_ENDING)} if _is_main() else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(error: AxiomError) -> None:
    """Print an error, behind what was printed so far."""
    flush()
    say(str(error), Priority.ERROR)


@contextmanager
def machine_explained(board: Board | None) -> Iterator[None]:
    """Around the opening of devices: a board file for another machine is told of, and why a device isn't there.

    It is no error by itself: what counts is which chips there are. Raises what the opening raises.
    """
    other = other_machine(board, detect()) if board is not None else None
    try:
        yield
    except BackendError as error:
        if other is None or error.errno != ENODEV:
            raise
        problem = f"{error.problem}; {other.place} {other.problem}"
        raise OtherMachine(error.place, problem, other.fix, ENODEV) from error
    if other is not None:
        tell(other)


def tell_trace(trace: Trace) -> None:
    """Print a line that a program printed."""
    say(f"{trace.timestamp_ns / 1e9:12.6f}  {trace.program}: {trace.text}", Priority.INFO)


def tell_missing(runtime: Runtime) -> None:
    """Print which optional outputs the bench goes without, and why."""
    for name, error in runtime.missing:
        say(f"without {name}, which is optional: {error}")


def tell_stop(runtime: Runtime) -> None:
    """Print that the emergency stop is latched already, since another run: programs will drive nothing. From now on,
    print too when another process latches it."""
    guard, board = runtime.guard, runtime.board
    if guard is None or board is None:
        return
    release = f"    fix    see why, then: axiom-hw stop release --operator NAME --board {board.name}"
    if (stop := guard.stopped) is not None:
        since = f" since {stop.time}" if stop.time else ""
        say(f"the emergency stop of {board.name} is latched{since}, by {stop.source}: {stop.reason}\n{release}")
    guard.on_stop(lambda stop: say(
        f"the emergency stop of {board.name} was latched just now, by {stop.source}: {stop.reason}; "
        f"outputs are in their safe states\n{release}"
    ))  # fmt: skip


def tell_running(name: str, board: Board | None, duration_ns: int | None) -> None:
    """That an application is there, which may have nothing to print before somebody touches it, and how it ends."""
    where = f" on the board {board.name}" if board is not None else ""
    print(f"{name} runs{where}{'; Ctrl-C ends it' if duration_ns is None else ''}", file=sys.stderr, flush=True)


def tell_engine(wanted: Engine, got: Engine) -> None:
    """Print, once in a process, that programs stay on the interpreter, and why."""
    if wanted is not got and not _TOLD:
        _TOLD.append(why_not())
        say(f"programs run on the interpreter: {_TOLD[0]}", Priority.NOTICE)


def tell_gpio(choice: GpioChoice) -> None:
    """Print, where lines are reached by another way than the usual one, what that can't do."""
    if shortfalls := limits_of(choice).shortfalls:
        say("\n    ".join((f"gpio by {choice}, which can do less than gpiod:", *shortfalls)), Priority.NOTICE)


def tell_pulsed(board: Board, pulser: Pulser | None) -> None:
    """Print which outputs software pulses, what that can't do, and where a PWM channel could take over."""
    if pulser is None:
        return
    lines = tuple(pulsed_lines(board))
    names = ", ".join(name for name, _ in lines)
    hints = (hint for _, hint in lines if hint)
    say("\n    ".join((f"{names}: pulsed by {pulser}", *pulser.shortfalls, *hints)), Priority.NOTICE)


def tell_damage(recording: Recording) -> None:
    """Print what is lost of a recording."""
    from axiom_hw.recorder.reading import told_damage  # here: it takes a while to load

    if told := told_damage(recording):
        say(told)


def tell_recorded_board(recording: Recording, board: Board | None) -> None:
    """Print that a recording is of another board than the one it is replayed on: its events may reach nobody."""
    from axiom_hw.recorder.header import board_digest  # here: it takes a while to load

    header = recording.header
    if board is not None and header.board and board_digest(board) != header.board_digest:
        say(f"note: the board {board.name} isn't the one of the recording ({header.board}), or has changed")


def tell_recorded(recorder: Tap) -> None:
    """Print what became of a recording, if that is what the tap makes: nothing is lost silently."""
    from axiom_hw.recorder.recorder import Recorder  # here: it takes a while to load

    if not isinstance(recorder, Recorder):
        return
    stream = recorder.stream
    size = f"{stream.written_bytes} bytes"
    say(f"recorded {stream.events} events to {recorder.path}, {size}", Priority.NOTICE)
    if stream.unrecorded:
        say(f"{recorder.path}: {stream.unrecorded} events weren't recorded")


class FaultTeller:
    """Prints the first fault of each link; `report` counts the rest.

    Synchronization: any thread.
    """

    def __init__(self) -> None:
        self._told: dict[Link, Fault] = {}

    def __call__(self, link: Link, fault: Fault) -> None:
        if self._told.setdefault(link, fault) is fault:
            say(f"fault: {fault}")


def report(
    runtime: Runtime, readers: Iterable[RingReader[Any]], maps: Iterable[Map] = (),
    untold: Iterable[tuple[str, int]] = (),
) -> None:  # fmt: skip
    """What went wrong unseen, at the end of a run: nothing is lost silently."""
    for link in runtime.attached:
        if link.faults:
            say(f"{link.program.name}: {link.faults} of {link.runs} runs faulted")
    for reader in readers:
        if reader.dropped:
            say(
                f"ring {reader.name}: {reader.dropped} records were dropped, because it was full; "
                "read it more often, or declare it larger"
            )
    for name, count in untold:
        say(f"watch {name}: its last {count} firings fell into an interval that didn't end")
    for found in maps:
        if isinstance(found, HashMap) and found.refused:
            entries = found.spec.max_entries
            say(
                f"map {found.spec.name}: {found.refused} updates found no room in its {entries} entries; "
                "delete what is old, or declare more"
            )
    for hook in runtime.executor.stats().hooks:
        if hook.overflows:
            say(f"{hook.key}: {hook.overflows} events were dropped, because too many waited")
    if runtime.tap is not None:
        tell_recorded(runtime.tap)
    for source in runtime.sources:
        if isinstance(source, Losing):
            for sentence in source.losses():
                say(sentence)
    if runtime.gpio is not None and runtime.gpio.lost:
        say(
            f"gpio: the kernel dropped {runtime.gpio.lost} edges, because its buffer was full; "
            "raise event_buffer_size of the chip in the board file"
        )


def install_excepthook() -> None:
    """From now on a mistake in a script is told by its line and a sentence. A hook that somebody set stays."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = tell_uncaught


def tell_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An `AxiomError` by the script's line and a sentence, anything else by a traceback of the script's own frames."""
    told = TracebackException(kind, error, trace)
    if isinstance(error, AxiomError):
        line = next((frame for frame in reversed(_own_frames(told.stack)) if not _is_ours(frame)), None)
        inside = os.path.abspath(error.place.partition(":")[0])  # a program in the script: its own line is told
        if line is not None and os.path.abspath(line.filename) != inside:
            say(f"{line.filename}:{line.lineno}: {line.line}", Priority.ERROR)
        say(str(error), Priority.ERROR)
        return
    seen: list[TracebackException | None] = [told]
    while seen:
        one = seen.pop()
        if one is not None:
            one.stack = _own_frames(one.stack)
            seen += (one.__cause__, one.__context__)
    say("".join(told.format()).removesuffix("\n"), Priority.ERROR)


def flush() -> None:
    """Write what was printed so far, if there still is a reader."""
    if not drop_stdout():
        sys.stdout.flush()


def drop_stdout() -> bool:
    """Whether the reader of standard output went away (`| head`); if so, what is left to print goes nowhere."""
    if not _stdout_is_gone():
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # Python flushes at its end, and would complain
    os.close(nowhere)
    return True


def _stdout_is_gone() -> bool:
    """Asked of the kernel: what Python has buffered may be lost already, so that a flush would find nothing to do."""
    try:
        number = sys.stdout.fileno()
    except OSError:  # a stand-in, as in tests and notebooks
        return False
    poll = select.poll()
    poll.register(number, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _own_frames(stack: StackSummary) -> StackSummary:
    """From the script's first frame on, without those of ours between two of the script's; all, where it has none."""
    script = os.path.abspath(sys.argv[0])
    start = next((at for at, frame in enumerate(stack) if os.path.abspath(frame.filename) == script), None)
    if start is None:
        return stack
    frames = stack[start:]
    last = max(at for at, frame in enumerate(frames) if not _is_ours(frame))
    return StackSummary.from_list([f for at, f in enumerate(frames) if at > last or not _is_ours(f)])


def _is_ours(frame: FrameSummary) -> bool:
    return frame.filename.startswith(_OURS)
