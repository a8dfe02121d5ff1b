"""Applications in Python as files for the verbs: verify, disasm, exec and run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUTTON = ROOT / "demos/button.py"
FORGETFUL = """\
import axiom_hw as hw

app = hw.App("x")
seen = app.hash("seen", hw.u32, hw.u64)


@app.on("timer/10ms")
def fine(ctx: hw.TimerEvent) -> int:
    print(f"run {ctx.count}")
    return 0


@app.on("timer/10ms")
def forgetful(ctx: hw.TimerEvent) -> int:
    last = seen.get(ctx.count)
    return last + 1


if __name__ == "__main__":
    app.main()
"""


@pytest.mark.llvm
def test_verify_looks_at_each_program_and_runs_nothing(cli, tmp_path):
    file = tmp_path / "x.py"
    file.write_text(FORGETFUL)
    result = cli("verify", file)
    assert result.code == 1
    rows = [line.split()[:4] for line in result.out.splitlines()[:3]]
    assert rows[1:] == [["fine", "timer/10ms", "accepted", rows[1][3]], ["forgetful", "timer/10ms", "rejected", "V505"]]
    told = result.out.partition("\n\n")[2]
    assert told.startswith(f"{file}:16: [V505] `last` may be None here, for which Python raises TypeError\n")
    assert "      return last + 1\n             ^\n" in told


@pytest.mark.llvm
def test_verify_of_a_demo(cli):
    result = cli("verify", BUTTON)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[1].split()[:3] == ["follow", "gpio/button", "accepted"]


@pytest.mark.llvm
def test_disasm_shows_python_lines(cli):
    result = cli("disasm", "--lines", BUTTON)
    assert result.code == 0
    rows = result.out.splitlines()
    at = next(i for i, row in enumerate(rows) if row.endswith('hw.gpio_set("led", ctx.value)'))
    assert rows[at].startswith("; ")
    assert any("call gpio_set" in row for row in rows[at : at + 4])


@pytest.mark.llvm
def test_exec_runs_the_programs_of_an_application_on_events(cli, tmp_path):
    events = tmp_path / "events.jsonl"
    pressed = (1).to_bytes(8, "little") + b"".join(n.to_bytes(4, "little") for n in (0, 17, 1, 1, 1, 0))
    events.write_text(json.dumps({"program": "follow", "ctx": pressed.hex()}) + "\n")
    result = cli("exec", "--object", BUTTON, "--events", events)
    first, last = (json.loads(line) for line in result.out.splitlines())
    assert first == {"program": "follow", "r0": 0}
    assert last["maps"]["presses"] == {"00000000": "0100000000000000"}
    assert last["rings"] == {"edges": [pressed.hex()]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "x = 1\n",
            "makes no App, so it has no programs\n    fix    `app = hw.App(...)` at the top level of the file\n",
        ),
        (
            'import axiom_hw as hw\napp = hw.App("x")\n',
            'its App has no program\n    fix    a function with @app.on("..."), or app.load(...)\n',
        ),
        ("def (\n", "is no Python: invalid syntax\n    fix    def (\n"),
    ],
)
def test_files_without_programs_say_so(cli, tmp_path, text, told):
    file = tmp_path / "x.py"
    file.write_text(text)
    result = cli("verify", file)
    assert result.code == 1
    assert result.err.startswith(str(file))
    assert result.err.endswith(told)


def test_a_refusal_is_a_sentence_for_run_and_verify_alike(cli, tmp_path):
    file = tmp_path / "x.py"
    file.write_text(FORGETFUL.replace("last + 1", "0.5"))
    refusal = (
        f"{file}:16: [P002] programs have integers only\n"
        "      return 0.5\n"
        "             ^^^\n"
        "    write  fixed point: thousandths, say, with `//`\n"
    )
    assert cli("verify", file).err == refusal
    result = cli("run", file, "--mock", "--for", "1s")
    assert result.code == 1
    assert result.err == refusal


@pytest.mark.llvm
def test_names_are_those_of_another_board_where_one_is_given(cli, tmp_path):
    other = tmp_path / "other.toml"
    bench = (ROOT / "boards/rpi5-bench.toml").read_text()
    other.write_text(bench.replace("[output.led]\nline = 18", "[output.led]\nline = 23"))
    assert "r1 = 18\n" in cli("disasm", BUTTON).out
    assert "r1 = 23\n" in cli("disasm", BUTTON, "--board", other).out
    other.write_text(bench.replace("[output.led]", "[output.lamp]"))
    result = cli("verify", BUTTON, "--board", other)
    assert result.code == 1
    assert f"{other}: has no output `led`; it has lamp" in result.err
