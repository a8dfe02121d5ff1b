"""The command as a whole: help, version, exit codes, signals, pipes, completion."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import axiom_hw
from axiom_hw import cli as package
from axiom_hw.cli import VERBS, module_of

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "axiom_hw"]
HEARTBEAT = str(ROOT / "demos/heartbeat/heartbeat.bpf.o")


def test_help_names_every_verb(cli):
    result = cli("--help")
    assert result.code == 0
    listed = result.out.split("Commands:\n")[1].splitlines()
    assert not [row for row in listed if row.endswith("...")], "the first sentence of a verb fits into its line"
    present = [verb for verb in VERBS if importlib.util.find_spec(module_of(verb))]
    assert [row.split()[0] for row in listed if row.startswith("  ") and row[2] != " "] == present


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(cli, verb):
    result = cli(verb, "-h")
    assert result.code == 0
    assert result.out.startswith(f"Usage: axiom-hw {verb} ")


def test_every_module_with_register_is_a_verb():
    modules = [info.name for info in pkgutil.iter_modules(package.__path__)]
    found = {name for name in modules if hasattr(importlib.import_module(f"axiom_hw.cli.{name}"), "register")}
    assert found == {module_of(verb).rpartition(".")[2] for verb in VERBS}


def test_version(cli):
    result = cli("--version")
    assert (result.code, result.out.split()[0]) == (0, "axiom-hw")


def test_without_a_verb_help_is_shown_as_a_mistake(cli):
    result = cli()
    assert result.code == 2
    assert "Usage: axiom-hw" in result.out + result.err


def test_a_misspelt_verb(cli):
    result = cli("verfiy", "x.o")
    assert result.code == 2
    assert "Did you mean 'verify'?" in result.err


def test_an_option_that_isnt_there(cli):
    result = cli("explain", "--quux")
    assert result.code == 2
    assert "--quux" in result.err


def test_the_exit_code_of_the_process():
    ran = subprocess.run([*COMMAND, "explain", "V999"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("code V999: there is none\n")


def test_ctrl_c_ends_quietly():
    command = [*COMMAND, "verify", "--batch", "-"]
    tool = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    with tool:
        assert tool.stdin is not None
        assert tool.stdout is not None
        assert tool.stderr is not None
        tool.stdin.write(b"{}\n")
        tool.stdin.flush()
        tool.stdout.readline()  # it is up and waits for the next request
        tool.send_signal(signal.SIGINT)
        assert tool.wait(timeout=20) == 130
        assert tool.stderr.read() == b""


@pytest.mark.parametrize("arguments", [["disasm", HEARTBEAT], ["helpers"], ["verify", HEARTBEAT]])
def test_a_reader_that_went_away_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert ran.stderr == b""


def test_a_terminal_that_lacks_a_character(tmp_path):
    file = tmp_path / "größe.bpf.s"
    file.write_text('.section "timer"\nx:\n  r0 = r10\n  exit ; größe → 0\n')
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ran = subprocess.run([*COMMAND, "verify", file], capture_output=True, env=environment, cwd=ROOT, check=False)
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert rb"\u2192 0" in ran.stdout


def test_a_script_that_exits_with_a_sentence(cli, tmp_path):
    script = tmp_path / "app.py"
    script.write_text("import sys\nsys.exit('no bench today')\n")
    result = cli("run", script)
    assert (result.code, result.err) == (1, "no bench today\n")


def test_a_table_on_a_terminal_keeps_brackets_and_fits():
    ours, theirs = os.openpty()
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
    subprocess.run([*COMMAND, "helpers"], stdout=theirs, env=environment, cwd=ROOT, check=True)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO ends what a closed terminal held
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    rows = re.sub(r"\x1b\[[\d;]*m", "", shown.decode()).splitlines()
    assert b"\x1b[1m" in shown
    assert any(row.startswith("1003  gpio_set ") for row in rows)
    assert max(map(len, rows)) <= 60


def test_a_verb_imports_only_what_it_needs():
    code = "import sys, axiom_hw.cli as c\ntry: c.main(['explain', 'V103'])\nfinally: print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    loaded = set(ran.stdout.split())
    assert "axiom_hw.bpf.verifier.codes" in loaded
    assert not loaded & {"rich", "gpiod", "elftools", "axiom_hw.app", "axiom_hw.cli.exec", "axiom_hw.bpf.asm_text"}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("axiom-hw expl", {"explain"}),
        ("axiom-hw explain V10", {f"V10{n}" for n in range(1, 9)}),
        ("axiom-hw boards rpi4", {"rpi4-bench"}),
        ("axiom-hw helpers gpio", {"gpio_set", "gpio_get"}),
        ("axiom-hw verify demos/heartbeat/heartbeat.b", {"demos/heartbeat/heartbeat.bpf.o"}),
        ("axiom-hw verify demos/but", {"demos/button.py", "demos/button.bpf.s"}),
        ("axiom-hw verify dem", {"demos/"}),
    ],
)
def test_completion(words, offered):
    environment = {**os.environ, "_AXIOM_HW_COMPLETE": "complete_bash", "COMP_WORDS": words,
                   "COMP_CWORD": str(len(words.split()) - 1)}  # fmt: skip
    ran = subprocess.run(COMMAND, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert set(ran.stdout.split()) == offered


def test_public_names_are_what_type_checkers_see():
    import ast

    tree = ast.parse(Path(axiom_hw.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    declared = {alias.name: node.module for node in block.body for alias in node.names}
    assert set(declared) == set(axiom_hw.__all__)
    for name, module in declared.items():
        assert getattr(axiom_hw, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="has no attribute 'quux'"):
        getattr(axiom_hw, "quux")  # noqa: B009 - the attribute isn't there
