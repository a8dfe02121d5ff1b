"""README and tutorial are true: what they tell a reader to save and type is saved and typed, and prints what they show.

In `make test`: all that runs on a mock bench.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from axiom_hw.cli import VERBS, app_for
from tests.pages import Command, Save, Where, agrees, broken_promise, run, steps

ROOT = Path(__file__).parents[1]
TUTORIAL = sorted((ROOT / "docs/tutorial").glob("[0-9]*.md"))
README = ROOT / "README.md"
PAGES = [README, *TUTORIAL]
BIN = Path(sys.executable).parent
COMMANDS = [(page, one) for page in PAGES for one in steps(page) if isinstance(one, Command)]
# Of the shell, of Python and of Linux: nothing of ours to be checked before they are typed.
PLAIN = {".", "cat", "cd", "ls", "mkdir", "pytest", "python", "sed", "sleep", "ssh"}


def _followed(pages: list[Path], directory: Path) -> None:
    todo = [one for page in pages for one in steps(page)]
    broken = [broken_promise(done) for done in run(todo, directory, frozenset({Where.HERE}), BIN, timeout_s=300)]
    if any(broken):
        pytest.fail("\n".join(filter(None, broken)), pytrace=False)


@pytest.mark.llvm
def test_readme_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)  # what `make setup` made
    _followed([README], tmp_path)


@pytest.mark.llvm
@pytest.mark.parametrize("pages", [TUTORIAL[:1], TUTORIAL[1:]], ids=["a first LED", "one project"])
def test_the_tutorial_can_be_followed_from_top_to_bottom(pages: list[Path], tmp_path: Path) -> None:
    _followed(pages, tmp_path)


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda one: getattr(one, "text", "") or one.stem)
def test_every_command_is_one_that_exists(page: Path, command: Command) -> None:
    """Those for a Pi, QEMU or a network, too, which other tests type or nobody can."""
    words = shlex.split(command.text, comments=True)
    while "=" in words[0]:
        words.pop(0)
    match words[0].removeprefix(".venv/bin/"):
        case "axiom-hw":
            _parse(words[1:])
        case "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
            assert words[1] in targets
        case name:
            assert name in PLAIN


def _parse(words: list[str]) -> None:
    """Ask the command line's own parser; it runs nothing. Raises its `UsageError`."""
    command: Any = typer.main.get_command(app_for([]))
    context: Any = None
    while True:
        context = command.make_context(command.name, list(words), parent=context)
        rest = [*context._protected_args, *context.args]
        if not hasattr(command, "commands") or not rest:
            return
        _, command, words = command.resolve_command(context, rest)


def test_prose_names_no_command_that_the_parser_refuses() -> None:
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for line in re.findall(r"`(?:\.venv/bin/)?axiom-hw ([^`]+)`", prose):
            words = line.split()
            if words[0] not in VERBS or (words[1:] and not any(word.isupper() for word in words)):  # such as NAME
                _parse(words)


def test_a_command_that_the_parser_refuses_is_found() -> None:
    for wrong in (["blink"], ["verify", "--mocked", "x.py"], ["stop", "somehow"], ["new"]):
        with pytest.raises(Exception, match=r"No such|Missing") as told:
            _parse(wrong)
        assert type(told.value).__name__ in ("UsageError", "NoSuchOption", "MissingParameter")


def test_every_page_says_its_goal_first_and_ends_with_what_to_try() -> None:
    for page in TUTORIAL:
        text = page.read_text()
        assert re.match(r"# \d\. .+\n\nBy the end of this page ", text), page.name
        assert "\n## What happened\n" in text, page.name
        assert "\n## What to try\n" in text, page.name


def test_a_page_that_promises_too_much_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Save this as `a/b.txt`:\n\n```text\none\ntwo\n```\n\n```console\n$ cd a\n$ cat b.txt\none\n...\n$ cat b.txt\n"
        "three\n$ cat c.txt\n$ exit\n$ ls\n```\n\n```console twin\n$ rm b.txt\n```\n"
    )
    todo = steps(page)
    assert todo[0] == Save("a/b.txt", "one\ntwo\n")
    done = run(todo, tmp_path, frozenset({Where.HERE}), BIN, timeout_s=10)
    assert [one.command.text for one in done] == ["cd a", "cat b.txt", "cat b.txt", "cat c.txt", "exit", "ls"]
    assert [bool(broken_promise(one)) for one in done] == [False, False, True, True, True, True]
    assert "$ cat b.txt\n--- the page shows\nthree\n--- it printed\none\ntwo\n" in broken_promise(done[2])
    assert "exit code 1" in broken_promise(done[3])
    assert "never ended" in broken_promise(done[5])
    page.write_text("```python\nimport nobody_checks\n```\n")
    with pytest.raises(AssertionError, match="saved, typed or printed"):
        steps(page)


def test_a_command_that_stays_is_waited_for_until_it_says_what_the_page_shows(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```console twin stays\n$ echo one; sleep 0.2; echo it is up, 7 s; sleep 60\n...\nit is up, ... s\n```\n\n"
        "```console twin\n$ echo next\nnext\n```\n"
    )
    done = run(steps(page), tmp_path, frozenset({Where.TWIN}), BIN, timeout_s=20)
    assert [(one.printed, broken_promise(one)) for one in done] == [("one\nit is up, 7 s\n", ""), ("next\n", "")]


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo begun\nbegun\n$ sleep 60\n$ echo done\n```\n")
    done = run(steps(page), tmp_path, frozenset({Where.HERE}), BIN, timeout_s=0.5)
    assert [broken_promise(one) for one in done] == ["", "$ sleep 60\nnever ended", "$ echo done\nnever ended"]


@pytest.mark.parametrize(
    ("shown", "printed", "loosely", "same"),
    [
        ("a\n...\nd\n", "a\nb\nc\nd\n", False, True),
        ("a\n...\nd\n", "a\nd\n", False, True),
        ("a ... c\n", "a b c\n", False, True),
        ("a\n...\n", "b\n", False, False),
        ("2 passed in 0.03s\n", "2 passed in 1.25s\n", False, True),
        ("2 passed in 0.03s\n", "3 passed in 0.03s\n", False, False),
        ("accepted  1.3 ms\n", "accepted  0.4 ms\n", False, True),
        ("    0.500 s  led  on\n", "   12.517 s  led  on\n", True, True),
        ("    0.500 s  led  on\n", "    0.517 s  led  on\n", False, False),
        ("    0.500 s  led  on\n", "    0.500 s  led  off\n", True, False),
        ("", "something\n", False, False),
    ],
)
def test_what_a_page_may_leave_open(shown: str, printed: str, loosely: bool, same: bool) -> None:
    assert agrees(shown, printed, loosely=loosely) is same
