"""Writes docs/demo.svg: what `make demo` prints, as a picture of a terminal. `make docs` runs it.

The picture holds no time of day and no random name, so the same output gives the same file.
"""

from __future__ import annotations

import html
import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = Path(__file__).with_name("demo.svg")
_STYLES = ((r"^\$.*", "bold"), (r"^A .*", "cyan"), (r"led on", "bold yellow"), (r"agrees", "green"))


def demo_output() -> str:
    """What `python -m demos` prints; takes about two seconds. Raises `CalledProcessError` where it fails."""
    command = [sys.executable, "-m", "demos"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


def render(output: str) -> str:
    """The picture of a terminal that shows `make demo` and this output."""
    text = Text(f"$ make demo\n{output.rstrip()}")
    columns = max(map(len, text.plain.splitlines()))
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for pattern, style in _STYLES:
        text.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    console.print(text, soft_wrap=True)
    picture = console.export_svg(title="axiom_hw", unique_id="demo")
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # pages that show it load no fonts


def text_of(picture: str) -> list[str]:
    """The lines that a picture shows, blank ones left out: what a test compares with the demo's output."""
    pieces = re.findall(r'<text class="demo-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', picture)
    lines: dict[float, str] = {}
    for _, y, piece in pieces:
        lines[float(y)] = lines.get(float(y), "") + html.unescape(piece).replace("\xa0", " ")
    return [line.rstrip() for _, line in sorted(lines.items()) if line.strip()]


if __name__ == "__main__":
    PICTURE.write_text(render(demo_output()))
