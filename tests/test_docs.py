"""The pages say what is: commands run and print what they show, code runs on the mock, links lead somewhere."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from axiom_hw.cli import VERBS
from tests.test_imports import LAYERS

ROOT = Path(__file__).parents[1]
DEMOS = ROOT / "demos/README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), DEMOS])
README = (ROOT / "README.md").read_text()
PROGRAMS = (ROOT / "docs/programs-in-c-and-assembly.md").read_text()
WRITING = (ROOT / "docs/writing-programs.md").read_text()
# Commands that need a Pi or take long: that make has the target, or axiom-hw the verb, is all that is tested.
ONLY_NAMED = {"make demo", "make setup", ".venv/bin/axiom-hw doctor", ".venv/bin/axiom-hw run demos/button.py"}


@dataclass(frozen=True)
class Session:
    """A command of a console block, and what the page says it prints."""

    command: str
    shown: str


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def sessions(text: str) -> list[Session]:
    found = []
    for block in blocks(text, "console"):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = piece.partition("\n")
            found.append(Session(command, shown))
    return found


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def module(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / f"{name}.py"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the files that README tells a reader to save, and the demos."""
    blink, application = (block for block in blocks(README, "python") if "app.main" in block)
    (board,) = blocks(README, "toml")
    (tmp_path / "blink.py").write_text(blink)
    (tmp_path / "mistake.py").write_text(blink.replace("ctx.count % 2", "1 // ctx.overruns"))
    (tmp_path / "presses.py").write_text(application)
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/desk.toml").write_text(board)
    (tmp_path / "demos").symlink_to(ROOT / "demos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str) -> str:
    """What a command prints: first what it says on stderr, as both appear on a terminal."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, env=_environment())
    assert "Traceback" not in done.stderr
    return done.stderr + done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}"


@pytest.mark.llvm
@pytest.mark.parametrize("session", sessions(README), ids=lambda session: session.command)
@pytest.mark.usefixtures("desk")
def test_readme_shows_what_its_commands_print(session: Session) -> None:
    command = session.command.removeprefix(".venv/bin/axiom-hw ")
    assert command != session.command, "README calls the command where `make setup` puts it"
    printed = run("-m", "axiom_hw", *command.split())
    assert _without_times(printed) == _without_times(session.shown)


def test_every_other_command_of_readme_exists() -> None:
    lines = [line.partition("#")[0].strip() for block in blocks(README, "sh") for line in block.splitlines()]
    assert set(lines) == ONLY_NAMED, "run a new command in a console block, or name it in ONLY_NAMED"
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = re.findall(r"`make ([a-z-]+)`", " ".join(page.read_text() for page in PAGES))
    for target in [line.removeprefix("make ") for line in lines if line.startswith("make ")] + named:
        assert target in targets
    for verb in re.findall(r"axiom-hw ([a-z]+)", README + PROGRAMS):
        assert verb in VERBS
    (path,) = {line.split()[-1] for line in lines if line.endswith(".py")}
    assert (ROOT / path).is_file()


@pytest.mark.llvm
@pytest.mark.usefixtures("desk")
def test_the_board_file_of_readme_loads_by_its_name() -> None:
    printed = run("-m", "axiom_hw", "boards", "desk")
    assert "button  header line 17  pull-up  both   low      5ms" in printed
    assert "led     header line 18  push-pull        high     value 0" in printed
    assert run("-m", "axiom_hw", "run", "demos/button.py", "--board", "desk", "--mock") == run(
        "demos/button.py", "--mock"
    )
    assert run("-m", "axiom_hw", "run", "blink.py", "--board", "desk", "--mock", "--for", "500ms") == (
        "    0.500 s  led  on\n    0.500 s  led  off\n"
    )


@pytest.mark.llvm
def test_the_test_of_readme_passes(desk: Path) -> None:
    (text,) = [block for block in blocks(README, "python") if "def test_" in block]
    (desk / "test_blink.py").write_text(text)
    assert "1 passed" in run("-m", "pytest", "-p", "no:cacheprovider", "test_blink.py")


def test_the_assembly_and_the_application_of_the_page_on_programs_work_together(desk: Path) -> None:
    (source,) = blocks(PROGRAMS, "asm")
    (application,) = blocks(PROGRAMS, "python")
    (desk / "toggle.bpf.s").write_text(source)
    (desk / "toggle.py").write_text(application)
    printed = run("-m", "axiom_hw", "run", "toggle.py", "--mock")
    assert printed.endswith("s  led    off\n3 presses\n")


def test_the_commands_of_the_page_on_programs_are_accepted(desk: Path) -> None:
    (desk / "toggle.bpf.s").write_text(blocks(PROGRAMS, "asm")[0])
    (desk / "toggle.bpf.o").write_bytes((ROOT / "demos/heartbeat/heartbeat.bpf.o").read_bytes())
    commands = re.findall(r"`axiom-hw ((?:header|verify|asm|disasm|run) [^`]*)`", PROGRAMS)
    quick = [command for command in commands if "FILE" not in command and "toggle.py" not in command]
    assert len(quick) >= 6
    for command in quick:
        if command.startswith("run") and "--mock" not in command:
            continue  # needs a Pi
        done = subprocess.run(
            [sys.executable, "-m", "axiom_hw", *command.split()], capture_output=True, text=True, timeout=60,
            env=_environment(),
        )  # fmt: skip
        assert done.returncode == 0, f"axiom-hw {command}: {done.stderr}"


def test_pages_that_derive_from_the_tables_are_up_to_date() -> None:
    pages = module("make_pages")
    assert (ROOT / "docs/errors.md").read_text() == pages["errors_page"](), "run `make docs`"
    assert pages["programs_page"](PROGRAMS) == PROGRAMS, "run `make docs`"
    assert pages["writing_page"](WRITING) == WRITING, "run `make docs`"


@pytest.mark.llvm
def test_the_code_of_the_page_on_programs_in_python_is_one_application_that_works(desk: Path) -> None:
    (desk / "door.py").write_text("\n\n".join(blocks(WRITING, "python")))
    assert run("-m", "axiom_hw", "verify", "door.py").count(" accepted ") == 4
    names = runpy.run_path("door.py")
    assert names["bits"](0b1011) == 3
    names["test_the_door_is_counted"]()


@pytest.mark.llvm
def test_the_refusal_that_the_page_on_programs_in_python_shows_is_real(desk: Path) -> None:
    (message,) = blocks(WRITING, "text")
    code = [block for block in blocks(WRITING, "python") if "def test_" not in block]
    (desk / "door.py").write_text("\n\n".join(code).replace("if window is None:", "if ctx.seqno == 7:"))
    printed = run("-m", "axiom_hw", "verify", "door.py")
    for line in message.splitlines():
        if not line.startswith(("    at ", "    knows ", "    path ")):  # pcs and registers are the affair of LLVM
            assert line in printed.splitlines()


def test_every_demo_is_in_the_table_of_demos_with_its_board() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.py\) \|.*?\| (?:`([\w-]+)`|none) \|", DEMOS.read_text(), flags=re.MULTILINE)
    boards = {}
    for path in (ROOT / "demos").glob("[a-z]*.py"):
        found = re.search(r'App\("\w+", board="([\w-]+)"', path.read_text())
        boards[path.stem] = found[1] if found else ""
    assert dict(rows) == boards


@pytest.mark.llvm
def test_the_picture_shows_what_the_demos_print() -> None:
    picture = module("make_picture")
    shown = picture["text_of"]((ROOT / "docs/demo.svg").read_text())
    printed = [run(str(ROOT / "demos" / demo), "--mock") for demo in ("heartbeat.py", "button.py")]
    lines = [line.rstrip() for text in printed for line in text.splitlines()]
    titles = [line for line in shown if line not in lines]
    assert [line for line in shown if line in lines] == lines, "run `make docs`"
    assert len(titles) == 5  # the prompt, a title for each demo, and two lines that name the others
    others = {path.stem for path in (ROOT / "demos").glob("[a-z]*.py")} - {"heartbeat", "button"}
    assert set(titles[-1].strip().split(", ")) == others, "run `make docs`"


def test_a_picture_of_one_output_is_one_picture() -> None:
    picture = module("make_picture")
    output = "A title\n\n  tick 1  a < b & c\n"
    drawn = picture["render"](output)
    assert drawn == picture["render"](output)
    assert picture["text_of"](drawn) == ["$ make demo", "A title", "  tick 1  a < b & c"]


def test_the_design_page_knows_every_room() -> None:
    design = (ROOT / "DESIGN.md").read_text()
    package = ROOT / "axiom_hw"
    for path in [*package.iterdir(), *(package / "bpf").iterdir()]:
        if path.name.startswith("__") or path.name in ("py.typed", "boards", "bpf"):
            continue
        name = f"{path.name}/" if path.is_dir() else path.name
        assert re.search(rf"(?<![\w/]){re.escape(name)}", design), f"DESIGN.md doesn't name {path.relative_to(ROOT)}"


def test_the_design_page_lists_the_layers_of_imports() -> None:
    design = (ROOT / "DESIGN.md").read_text()
    listed = [
        set(re.findall(r"`(\w+)`", line)) for line in re.findall(r"^\d\. (?!\*\*).*$", design, flags=re.MULTILINE)
    ]
    assert listed == [set(layer) for layer in LAYERS]


def _without_times(text: str) -> str:
    """Verifying takes some time, and which instructions lie on a path is LLVM's affair: no page can know."""
    return re.sub(r"\n    path .*", "", re.sub(r"\d+\.\d ms", "N ms", text))
