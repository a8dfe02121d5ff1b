"""What doesn't travel, and what is taken back."""

from __future__ import annotations

import pytest

from tests.deploy import apps
from tests.deploy.rig import Rig


def test_a_program_that_the_verifier_refuses_never_travels(
    board: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("project")
    before = board.listing()
    done = board.deploy(apps.rejected(folder))
    assert done.status == 1
    assert f"{folder}/beat.py: is refused by the verifier, so nothing was sent:" in done.text
    assert "[V" in done.text
    assert board.listing() == before
    assert "Accepted" not in (board.tree / "sshd.log").read_text()  # nobody was even connected to


def test_a_release_that_fails_its_health_gate_is_taken_back(
    board: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("project")
    first = board.deploy(apps.crashing(folder))
    assert first.status == 1
    assert first.text.endswith(
        f"{board.host}: no release runs, as none was proven there yet; mend it, and deploy again\n"
    )
    assert "  | the supply of this bench is off" in first.text  # the journal's last lines
    assert not (board.root / "etc/systemd/system/axiom-beat.service").is_symlink()

    good = board.deploy(apps.beat(folder, 1))
    assert good.status == 0, good.text
    one = board.running("beat")
    for app in (apps.crashing, apps.falling):
        bad = board.deploy(app(folder), SETTLE="1.5")
        assert bad.status == 1
        assert f"going back to {one}" in bad.text
        assert "failed its health gate, and was taken back" in bad.text
        assert bad.text.endswith(f"{board.host}: the proven release {one} runs; mend it, and deploy again\n"), bad.text
        assert board.running("beat") == one
        assert board.current("beat") == one
    assert "fell over behind its first tick" in bad.text
    again = board.deploy(apps.beat(folder, 1))
    assert again.text.endswith(f"{board.host}: release {one} of beat runs; 0 changes\n"), again.text
