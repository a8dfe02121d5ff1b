"""Writes docs/demo.svg: a run of the demo `button`, as it printed, and as its wires went. `make docs` runs it.

Everything that moves in the picture is from one run in virtual time, so the same program gives the same file. Where
pictures stand still, or a reader wants them to, it shows the end of the run.
"""

from __future__ import annotations

import html
import io
import re
import runpy
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import axiom_hw as hw

ROOT = Path(__file__).parents[1]
PICTURE = Path(__file__).with_name("demo.svg")
PROMPT = "$ axiom-hw demo button"

WIDTH, HEIGHT = 760, 372
LEFT, RIGHT = 120, 730  # of the traces
END_S, SLOWER, HOLD_S = 2.0, 3.5, 2.5  # what is shown of the run, how slowly, and how long the end stays
LOOP_S = END_S * SLOWER + HOLD_S
BURST_S = 0.02  # edges of a wire that lie closer are bounces

_STYLE = """
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #c9d1d9; }
.prompt { font-weight: bold; fill: #f0f6fc; } .on { fill: #ffd866; } .note { font-size: 12px; fill: #8b949e; }
.trace { fill: none; stroke-width: 2; } .part { fill: none; stroke: #30363d; stroke-width: 2; }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; } }
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A wire has this level from this time on."""

    time_s: float
    level: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run printed, and what its two wires did: levels as a meter would tell them, 1 is 3.3 V."""

    lines: tuple[str, ...]
    button: tuple[Step, ...]
    led: tuple[Step, ...]


def watched() -> Seen:
    """Run the demo and look at it."""
    board = hw.load_board("rpi5-bench")
    bench = hw.MockBench(board)
    lines = {"button": board.input("button").line, "led": board.output_lines[0].line}
    wires: dict[int, list[Step]] = {number: [] for number in lines.values()}

    def changed(time_ns: int, offset: int, level: int) -> None:
        if offset in wires:
            wires[offset].append(Step(time_ns / 1e9, level))

    bench.gpio.open(board.chips[0].label).watch(changed)
    demo = runpy.run_path(str(ROOT / "demos/button.py"), run_name="demo")
    printed = io.StringIO()
    with redirect_stdout(printed), demo["app"].running(bench=bench):
        demo["show"]()
    button, led = (tuple(step for step in wires[lines[name]] if step.time_s > 0) for name in ("button", "led"))
    return Seen(tuple(printed.getvalue().splitlines()), (Step(0, 1), *button), (Step(0, 0), *led))


def draw(seen: Seen) -> str:
    """The picture."""
    parts = [*_terminal(seen.lines), *_bench(seen), *_traces(seen)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            f"<style>{_STYLE}{''.join(_keyframes(seen))}</style>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#0d1117"/>',
            *parts,
            "</svg>\n",
        ]
    )


def text_of(picture: str) -> list[str]:
    """The lines that the terminal in a picture shows."""
    return [
        html.unescape(line).replace("\xa0", " ") for line in re.findall(r'<text class="line[^>]*>(.*?)</text>', picture)
    ]


def _terminal(lines: tuple[str, ...]) -> Iterable[str]:
    yield f'<text class="prompt" x="24" y="38">{PROMPT}</text>'
    for number, line in enumerate(lines):
        text = html.escape(line).replace(" ", "\xa0")
        colour = " on" if "led on" in line else ""
        yield f'<text class="line{colour}" id="line{number}" x="24" y="{68 + 24 * number}">{text}</text>'


def _bench(seen: Seen) -> Iterable[str]:
    yield '<rect class="part" x="596" y="22" width="140" height="170" rx="8"/>'
    yield '<circle id="glow" cx="666" cy="62" r="27" fill="#ffd866" opacity="0"/>'
    yield '<circle id="led" cx="666" cy="62" r="16" fill="#4a4020" stroke="#8b949e"/>'
    yield '<text class="note" x="666" y="104" text-anchor="middle">led  GPIO18</text>'
    yield '<rect class="part" x="644" y="130" width="44" height="34" rx="4"/>'
    yield '<rect id="cap" x="652" y="120" width="28" height="12" rx="3" fill="#f85149"/>'
    yield '<text class="note" x="666" y="183" text-anchor="middle">button  GPIO17</text>'


def _traces(seen: Seen) -> Iterable[str]:
    yield f'<clipPath id="now"><rect id="past" x="{LEFT}" y="210" width="{RIGHT - LEFT}" height="150"/></clipPath>'
    for name, steps, top, colour in (("GPIO17", seen.button, 232, "#58a6ff"), ("GPIO18", seen.led, 296, "#ffd866")):
        yield f'<text class="note" x="24" y="{top + 20}">{name}</text>'
        yield f'<path class="trace" stroke="{colour}" clip-path="url(#now)" d="{_path(steps, top)}"/>'
    for first, count in _bounced(seen.button)[:1]:
        yield f'<text class="note" id="burst" x="{_x(first):.1f}" y="224">{count} edges, 1 event</text>'
    yield f'<line id="playhead" x1="{LEFT}" x2="{LEFT}" y1="214" y2="332" stroke="#8b949e" opacity="0"/>'
    for tenths in range(0, int(END_S * 10) + 1, 5):
        yield f'<text class="note" x="{_x(tenths / 10):.1f}" y="354" text-anchor="middle">{tenths / 10:.1f} s</text>'


def _keyframes(seen: Seen) -> Iterable[str]:
    for number, line in enumerate(seen.lines):
        yield _stepped(f"line{number}", [(0, "opacity: 0"), (_time_in(line), "opacity: 1")])
    led = [(step.time_s, step.level) for step in seen.led]
    yield _stepped("led", [(at, f"fill: {'#fff3b0' if on else '#4a4020'}") for at, on in led])
    yield _stepped("glow", [(at, f"opacity: {0.35 if on else 0}") for at, on in led])
    yield _stepped("cap", [(step.time_s, f"transform: translateY({0 if step.level else 8}px)") for step in seen.button])
    for first, _ in _bounced(seen.button)[:1]:
        yield _stepped("burst", [(0, "opacity: 0"), (first + BURST_S, "opacity: 1")])
    moved = f"{END_S * SLOWER / LOOP_S:.2%}"
    across = f"{RIGHT - LEFT}px"
    yield f"#past {{ animation: past {LOOP_S}s linear infinite; }}\n"
    yield f"@keyframes past {{ 0% {{ width: 0; }} {moved}, 100% {{ width: {across}; }} }}\n"
    yield f"#playhead {{ animation: playhead {LOOP_S}s linear infinite; }}\n"
    there = f"transform: translateX({across});"
    yield f"@keyframes playhead {{ 0% {{ opacity: 1; }} {moved}, 100% {{ opacity: 1; {there} }} }}\n"


def _stepped(name: str, states: list[tuple[float, str]]) -> str:
    """An element that is in each of these states from its time of the run on."""
    frames = " ".join(f"{at * SLOWER / LOOP_S:.3%} {{ {state}; }}" for at, state in states)
    last = states[-1][1]
    return (
        f"#{name} {{ animation: {name} {LOOP_S}s step-end infinite; }}\n"
        f"@keyframes {name} {{ {frames} 100% {{ {last}; }} }}\n"
    )


def _path(steps: tuple[Step, ...], top: int) -> str:
    """A trace of levels, 28 pixels high."""
    drawn = [f"M{LEFT} {_y(steps[0].level, top)}"]
    drawn += [f"H{_x(step.time_s):.2f}V{_y(step.level, top)}" for step in steps[1:]]
    return "".join([*drawn, f"H{RIGHT}"])


def _bounced(steps: tuple[Step, ...]) -> list[tuple[float, int]]:
    """When a contact began to bounce, and how many edges that made."""
    bursts: list[tuple[float, int]] = []
    for before, step in pairwise(steps):
        if bursts and step.time_s - before.time_s < BURST_S:
            bursts[-1] = (bursts[-1][0], bursts[-1][1] + 1)
        else:
            bursts.append((step.time_s, 1))
    return [burst for burst in bursts if burst[1] > 1]


def _x(time_s: float) -> float:
    return LEFT + (RIGHT - LEFT) * time_s / END_S


def _y(level: int, top: int) -> int:
    return top if level else top + 28


def _time_in(line: str) -> float:
    """The time that a line of the demo begins with: `    0.305 s  button pressed`."""
    return float(line.split()[0])


if __name__ == "__main__":
    PICTURE.write_text(draw(watched()))
