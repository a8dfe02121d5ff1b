"""The pages say what is: code runs on the mock, links lead somewhere, parts that derive from tables do."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import axiom_hw as hw
from axiom_hw.cli import VERBS
from tests.test_imports import LAYERS

ROOT = Path(__file__).parents[1]
DEMOS = ROOT / "demos/README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), DEMOS])
PROGRAMS = (ROOT / "docs/programs-in-c-and-assembly.md").read_text()
WRITING = (ROOT / "docs/writing-programs.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def module(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / f"{name}.py"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with nothing in it but the demos."""
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


def test_make_targets_and_verbs_that_pages_name_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    pages = "\n".join(page.read_text() for page in PAGES)
    for target in re.findall(r"`make ([a-z-]+)", pages):
        assert target in targets
    for verb in re.findall(r"`axiom-hw ([a-z]+)", pages):
        assert verb in VERBS


def test_the_index_lists_every_page_once_and_the_site_takes_its_order_from_it() -> None:
    index = (ROOT / "docs/index.md").read_text()
    listed = [(ROOT / "docs" / f"{path}.md").resolve() for path in re.findall(r"^- \[.*?\]\((.*?)\.md\)", index, re.M)]
    assert sorted(listed) == sorted({*PAGES} - {ROOT / "docs/index.md"})


def test_the_page_on_the_api_names_every_public_name_once() -> None:
    page = (ROOT / "docs/api.md").read_text()
    named = re.findall(r"^\.\. auto\w+:: (\w+)", page, re.MULTILINE) + re.findall(r"`([us]\d+)`", page)
    assert sorted(named) == sorted(hw.__all__)


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
def test_the_picture_is_of_a_run_of_the_demo() -> None:
    picture = module("make_picture")
    drawn = (ROOT / "docs/demo.svg").read_text()
    assert drawn == picture["draw"](picture["watched"]()), "run `make docs`"
    assert picture["text_of"](drawn) == run("demos/button.py", "--mock").splitlines()


def test_a_picture_counts_the_bounces_of_a_contact() -> None:
    picture = module("make_picture")
    step, seen = picture["Step"], picture["Seen"]
    wire = (step(0, 1), step(0.5, 0), step(0.501, 1), step(0.502, 0), step(1.0, 1))
    drawn = picture["draw"](seen(("    0.507 s  a < b",), wire, (step(0, 0),)))
    assert picture["text_of"](drawn) == ["    0.507 s  a < b"]
    assert ">3 edges, 1 event</text>" in drawn
    assert " edges, " not in picture["draw"](seen((), (step(0, 1), step(0.5, 0)), (step(0, 0),)))


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


def test_a_dead_link_of_the_site_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = module("check_links")
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><a href="#top">a</a><h1 id="top"></h1>')
    (tmp_path / "b.html").write_text(
        '<h2 id="here"></h2><a href="https://example.org/x">outer</a><img src="a%20b.png">'
    )
    (tmp_path / "a b.png").touch()
    assert check["main"](tmp_path, False) == 0
    (tmp_path / "c.html").write_text('<a href="b.html#there">b</a><a href="d.html">d</a><link href="style.css">')
    assert check["main"](tmp_path, False) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "c.html: b.html#there: the file has no such place",
        "c.html: d.html: no such file",
        "c.html: style.css: no such file",
    ]


@pytest.mark.parametrize(
    ("rows", "code", "last"),
    [
        ([("broken", "Max retries exceeded"), ("timeout", "")], 0, "no network: none of 2 outer links could be tried"),
        ([("broken", "404 Client Error: Not Found"), ("timeout", "")], 1, "timeout    https://1.org  (p.md:1)"),
        ([("working", ""), ("broken", "No route")], 1, "broken     https://1.org  (p.md:1)  No route"),
        ([("working", ""), ("redirected", "elsewhere")], 0, "redirected https://1.org  (p.md:1)  elsewhere"),
    ],
)  # fmt: skip
def test_outer_links_are_judged_where_there_is_a_network(
    rows: list[tuple[str, str]], code: int, last: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        json.dumps({"filename": "p.md", "lineno": 1, "uri": f"https://{n}.org", "status": status, "info": info})
        for n, (status, info) in enumerate(rows)
    ]
    (tmp_path / "output.json").write_text("\n".join(lines))
    assert module("check_links")["main"](tmp_path, True) == code
    assert capsys.readouterr().out.splitlines()[-1] == last
