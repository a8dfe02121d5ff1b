"""How these pages become a site: `make docs-site` writes it to build/site, `make docs-links` tries its outer links.

Pages are plain Markdown, which reads the same where a repository is browsed. So the root of the sources is the
repository, where links such as ../DESIGN.md lead somewhere, and the order of pages is that of the lists in index.md.
"""

from __future__ import annotations

import re
from typing import Any

import typer

from axiom_hw.cli import PROG, VERBS, app_for

project = "axiom_hw"
html_title = "axiom_hw"
author = "the authors of axiom_hw"
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
include_patterns = ["README.md", "DESIGN.md", "CHANGELOG.md", "demos/README.md", "docs/**.md"]
exclude_patterns = [".*", "axiom_hw", "axiom_hw.egg-info", "boards", "build", "deploy", "dist", "tests"]  # not walked

myst_heading_anchors = 4  # as GitHub makes them, so that one link serves both

suppress_warnings = ["misc.highlighting_failure"]  # BPF's assembly has no lexer

default_role = "code"  # docstrings write `name`
smartquotes = False  # quotes in docstrings are quotes of code
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

html_theme = "furo"  # loads no font and no script from elsewhere
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["site"]  # index.html at the top, which leads to docs/index.html
linkcheck_timeout = 20
linkcheck_retries = 2

_NAV = "docs/index"
_VERBS = "docs/command-line"


def toctrees(text: str) -> str:
    """The navigation: a hidden tree for each heading of the index, with the pages of the list below it, in order."""
    trees = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        caption = section.partition("\n")[0]
        pages = re.findall(r"^- \[([^\]]+)\]\(([^)#]+)\.md\)", section, flags=re.MULTILINE)
        if pages:
            lines = "\n".join(f"{title} <{page}>" for title, page in pages)
            trees.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n")
    return "\n".join(trees)


def verbs() -> str:
    """What `axiom-hw VERB --help` prints, of every verb, under a heading each."""
    group = typer.main.get_command(app_for([]))
    return "\n".join(_help(name, group.commands[name], PROG) for name in VERBS if name in group.commands)  # type: ignore[attr-defined]


def _help(name: str, command: Any, above: str) -> str:
    path = f"{above} {name}"
    with command.make_context(path, [], resilient_parsing=True, terminal_width=86, max_content_width=86) as context:
        text = f"## {path}\n\n```text\n{context.get_help()}\n```\n"
    return text + "".join(f"\n{_help(each, sub, path)}" for each, sub in getattr(command, "commands", {}).items())


def _read(app: Any, page: str, content: list[str]) -> None:
    if page == _NAV:
        content[0] += "\n" + toctrees(content[0])
    if page == _VERBS:
        content[0] += "\n" + verbs()


def _plain(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are prose: what reStructuredText would take for a substitution is an absolute value."""
    lines[:] = [re.sub(r"(?<!`)\|", r"\\|", line) for line in lines]


def setup(app: Any) -> None:
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _plain)
