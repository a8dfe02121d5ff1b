"""From IR to an object, and from an object to code in memory that is given back when nobody holds it any more.

Synchronization: any thread. LLVM is used under one lock; letting code go takes none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final

from llvmlite import binding

from axiom_hw.bpf.engine.llvm.code import REPORT, Code, CompileError
from axiom_hw.bpf.engine.llvm.passes import optimise, simplify
from axiom_hw.bpf.engine.llvm.symbols import undefined
from axiom_hw.bpf.engine.llvm.target import LOCK, host

# ORC keeps about 10 KB of each library that was ever loaded, until its session ends. So a session takes this many,
# then the next begins, and the old one is closed when its last library is gone.
_SESSION_LIBRARIES: Final = 64


class Library:
    """Code in memory. `addresses` are those of its exported functions, valid for as long as this object lives."""

    __slots__ = ("_number", "addresses")

    def __init__(self, number: int, addresses: Mapping[str, int]) -> None:
        self._number = number
        self.addresses = addresses

    def __del__(self) -> None:
        # Perhaps in a thread that dispatches events: it must not wait until LLVM is done with what it compiles.
        _dead.append(self._number)


class _Session:
    """One instance of ORC."""

    __slots__ = ("jit", "live", "made")

    def __init__(self) -> None:
        self.jit = binding.create_lljit_compiler(host().machine, use_jit_link=True)
        self.made = 0
        self.live = 0


# What is loaded, by number. A library doesn't hold its tracker itself: where both are part of a cycle, the garbage
# collector would call the tracker's finaliser too, and LLVM from any thread at any moment.
_loaded: Final[dict[int, tuple[_Session, Any]]] = {}
_dead: Final[deque[int]] = deque()  # to be unloaded by whoever loads next
_names: Final = count()
_current: _Session | None = None


def compile_ir(text: str, place: str, *, loops: bool = True, quick: bool = False) -> Code:
    """Optimise a module and make an object of it. `place` is the program, for errors. Raises `CompileError`.

    Where it has no `loops` of its own, that takes half the time. `quick` takes a third of that, and hardly optimises.
    """
    with LOCK:
        if quick:
            module = _parsed(text, place)
            simplify(module)
            image = host().quick.emit_object(module)
        else:
            image = host().machine.emit_object(_optimised(text, place, loops))
    return Code(image, undefined(image))


def assembly(text: str, place: str, *, loops: bool = True) -> str:
    """Optimise a module and make assembly of it, with `.loc` for what has debug locations. Raises `CompileError`."""
    with LOCK:
        listing: str = host().machine.emit_assembly(_optimised(text, place, loops))
    return listing


def load(code: Code, addresses: Mapping[str, int], exports: Sequence[str], place: str) -> Library:
    """Put an object in memory, with the address of each name that it needs. Raises `CompileError`."""
    global _current
    with LOCK:
        reap()
        session = _current
        if session is None or session.made == _SESSION_LIBRARIES:
            session, old = _Session(), session
            _current = session
            if old is not None:
                _close_if_done(old)
        builder = binding.JITLibraryBuilder().add_object_img(code.image)
        for name in code.needs:
            builder.import_symbol(name, addresses[name])
        for name in exports:
            builder.export_symbol(name)
        number = next(_names)
        try:
            tracker = builder.link(session.jit, f"program{number}")
        except RuntimeError as error:
            raise CompileError(place, f"its code can't be loaded: {error}", REPORT) from None
        session.made += 1
        session.live += 1
        _loaded[number] = (session, tracker)
        return Library(number, {name: tracker[name] for name in exports})


def reap() -> None:
    """Unload what nobody holds any more. Loading does it as well."""
    with LOCK:
        while _dead:
            session, tracker = _loaded.pop(_dead.popleft())
            tracker.close()
            session.live -= 1
            _close_if_done(session)


def _close_if_done(session: _Session) -> None:
    if session is not _current and session.live == 0:
        session.jit.close()


def _optimised(text: str, place: str, loops: bool) -> Any:
    module = _parsed(text, place)
    optimise(module, loops=loops)
    return module


def _parsed(text: str, place: str) -> Any:
    # A context of its own: in the global one, every constant and type that was ever used stays.
    context = binding.create_context()
    try:
        module = binding.parse_assembly(host().preamble + text, context)
        module.verify()
    except RuntimeError as error:
        raise CompileError(place, f"LLVM refuses its code: {error}", REPORT) from None
    return module
