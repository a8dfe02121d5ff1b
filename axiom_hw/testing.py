"""A pytest plugin: programs on a mock bench, in virtual time, with a picture of what an output did instead.

    @pytest.mark.board("rpi5-bench")
    def test_the_led_follows_the_button(bench, run_file):
        button = run_file("demos/button.py")
        bench.after("100ms").press("button")
        bench.advance("1s")
        assert bench.history("led") == [(0, 0), ("105ms", 1)]
        assert button.presses[0] == 1

It is there wherever axiom_hw is installed, and loads nothing until a test asks for it. docs/testing.md says more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from axiom_hw.app import App
    from axiom_hw.bench import MockBench

DEFAULT_BOARD: Final = "rpi5-bench"
ENGINES: Final = ("interp", "llvm")
_HISTORY: Final = "axiom_hw.bench.history"
_NUMBERS: Final = count(1)

RunApp = Callable[..., "App"]
"""`run_app(app)`, or `run_app(app, scenario=True)`."""

RunFile = Callable[..., ModuleType]
"""`run_file("blink.py")`, or `run_file("blink.py", scenario=True)`."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    config.addinivalue_line("markers", "board(name): the board of the `bench` fixture, a name or the path of a file")
    config.addinivalue_line(
        "markers", "engines(*names): run the test once on each engine, interp and llvm unless given"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked `engines` runs on each of them."""
    mark = metafunc.definition.get_closest_marker("engines")
    if mark is None:
        return
    wanted = mark.args or ENGINES
    for name in wanted:
        if name not in (*ENGINES, "auto"):
            raise pytest.UsageError(f"@pytest.mark.engines knows {', '.join(ENGINES)} and auto, not {name!r}")
    if "axiom_engine" not in metafunc.fixturenames:
        metafunc.fixturenames.append("axiom_engine")
    metafunc.parametrize("axiom_engine", wanted, indirect=True)


@pytest.fixture
def axiom_engine(request: pytest.FixtureRequest) -> str:
    """What runs the programs of this test: the interpreter, unless it is marked `engines`."""
    name = str(getattr(request, "param", ENGINES[0]))
    if name == "llvm":
        from axiom_hw.bpf.engine.llvm.available import why_not

        if reason := why_not():
            pytest.skip(f"no native code here: {reason}")
    return name


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> MockBench:
    """A mock bench in virtual time, of the board that `@pytest.mark.board` names.

    Without the mark: the only board file of the project's `boards/`, else "rpi5-bench".
    """
    from axiom_hw.bench import MockBench
    from axiom_hw.board import load_board

    mark = request.node.get_closest_marker("board")
    if mark is not None and (len(mark.args) != 1 or mark.kwargs):
        raise pytest.UsageError('@pytest.mark.board names one board: @pytest.mark.board("rpi5-bench")')
    name = mark.args[0] if mark is not None else _only_board(request.config.rootpath)
    search = tuple(path for path in (request.config.rootpath / "boards",) if path.is_dir())
    return MockBench(load_board(name, _search(search)))


@pytest.fixture
def run_app(bench: MockBench, axiom_engine: str) -> Iterator[RunApp]:
    """Runs an `App` on the bench, until the test ends; its outputs are safe then, or the test has an error.

    `run_app(app)` returns the app. Its scenario isn't played unless `scenario=True`: the hands are the test's.
    """
    from axiom_hw.bpf.engine.choice import Engine
    from axiom_hw.options import Options

    with ExitStack() as ends:

        def run(app: App, *, scenario: bool = False) -> App:
            ends.enter_context(
                app.running(Options(mock=True, engine=Engine(axiom_engine)), bench=bench, plays=scenario)
            )
            return app

        yield run


@pytest.fixture
def run_file(run_app: RunApp, request: pytest.FixtureRequest) -> Iterator[RunFile]:
    """Runs the application of a Python file on the bench: as `run_app`, and each time with fresh maps.

    `run_file("blink.py")` returns what the file defines, as a module; relative paths count from the root of the tests.
    Raises `SpecError` where the file makes no `App`, or several.
    """

    made: list[str] = []

    def run(file: str | os.PathLike[str], *, scenario: bool = False) -> ModuleType:
        from axiom_hw.app import App
        from axiom_hw.errors import SpecError

        path = request.config.rootpath / file
        if path.suffix != ".py" or not path.is_file():
            raise SpecError(str(path), "there is no such Python file", "paths count from the root of the tests")
        module = _executed(path)
        made.append(module.__name__)
        apps = list({id(one): one for one in vars(module).values() if isinstance(one, App)}.values())
        if len(apps) != 1:
            raise SpecError(
                str(path), f"makes {len(apps)} Apps; run_file() takes a file that makes one", "run_app(app)"
            )
        run_app(apps[0], scenario=scenario)
        return module

    yield run
    for name in made:
        del sys.modules[name]


def assert_safe(bench: MockBench) -> None:
    """Fail unless each output of the bench is in its safe state, and say which isn't."""
    __tracebackhide__ = True
    unsafe = bench.unsafe()
    if unsafe:
        pytest.fail("outputs that aren't safe:\n" + "\n".join(f"  {line}" for line in unsafe))


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Draw what an output did, and what was expected."""
    found = sys.modules.get(_HISTORY)
    if found is None or op != "==":
        return None
    if isinstance(right, found.History) and isinstance(left, list | tuple):
        left, right = right, left
    if not isinstance(left, found.History) or not isinstance(right, list | tuple):
        return None
    return left.compared(right) or None


def _only_board(root: Path) -> str:
    boards = sorted((root / "boards").glob("*.toml"))
    return str(boards[0]) if len(boards) == 1 else DEFAULT_BOARD


def _search(own: tuple[Path, ...]) -> tuple[Path, ...]:
    from axiom_hw.board.find import SHIPPED

    return (Path("boards"), *own, SHIPPED)


def _executed(path: Path) -> ModuleType:
    """A file as a module of its own: each time another one, under a name that nobody imports."""
    name = f"{path.stem}#{next(_NUMBERS)}"
    spec = spec_from_file_location(name, path)
    assert spec is not None, "it is a .py file"
    assert spec.loader is not None, "it is a .py file"
    module = module_from_spec(spec)
    sys.modules[name] = module  # classes with annotations are looked up there
    sys.path.insert(0, str(path.parent))  # as Python does for a script
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module
