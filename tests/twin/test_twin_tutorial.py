"""The tutorial's page on the twin: its commands are typed, and print what it shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from axiom_hw.twin import Twin
from tests.pages import Save, Where, broken_promise, run, steps

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial"


def test_the_page_on_the_twin(tmp_path: Path) -> None:
    """With the project as pages 2 and 3 leave it. The page boots a twin of its own."""
    before = [one for name in ("2-first-program", "3-sensor") for one in steps(TUTORIAL / f"{name}.md")]
    begun = [one for one in before if isinstance(one, Save) or one.text.startswith(("axiom-hw new", "cd "))]
    todo = [*begun, *steps(TUTORIAL / "5-twin.md")]
    done = run(todo, tmp_path, frozenset({Where.HERE, Where.TWIN}), Path(sys.executable).parent, timeout_s=1200)
    assert len(done) > 6
    if any(broken := [broken_promise(one) for one in done]):
        pytest.fail("\n".join(filter(None, broken)), pytrace=False)


def test_what_is_edited_outside_is_seen_inside(tmp_path: Path) -> None:
    file = tmp_path / "edited.py"
    with Twin.boot() as twin:
        for text in ("first", "the second, which is longer", "third"):
            file.write_text(text)
            assert twin.run(["cat", str(file)]).check().stdout == text
        file.unlink()
        assert twin.run(["cat", str(file)]).returncode == 1
