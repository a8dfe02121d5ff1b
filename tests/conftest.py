"""For all tests: a cache and a state that end with the session; what needs llvmlite is skipped without it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from axiom_hw import console
from axiom_hw.bpf.engine.llvm.available import why_not

# Their modules import the engine, which imports llvmlite.
NATIVE = Path(__file__).parent / "bpf/engine/llvm"


# Under nohup a hang-up is ignored, and in a shell's background Ctrl-C: by the processes that tests start and stop, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Absent(pytest.Module):
    """A module of tests that can't be imported here."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(f"no native code here: {why_not()}")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Ask before a module is imported."""
    if why_not() and module_path.is_relative_to(NATIVE):
        return Absent.from_parent(parent, path=module_path)
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked `llvm`."""
    if why_not() and item.get_closest_marker("llvm"):
        pytest.skip(f"no native code here: {why_not()}")


@pytest.fixture(autouse=True, scope="session")
def told_already() -> None:
    """A process says once that it interprets: no test's affair but `test_without_llvmlite`'s, which starts others."""
    if why_not():
        console._TOLD.append(why_not())


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Also for the processes that tests start. What one worker has compiled serves the others, too."""
    session = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        session = session.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(session / "cache"))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
