"""A board's life: first deploy, nothing to do, a new version, back by hand, gone without a trace."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.deploy import apps
from tests.deploy.rig import CONFIG, Rig


def test_a_life_of_deploys(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("project")
    before = rig.listing()

    dry = rig.deploy(apps.beat(folder, 1), "--dry")
    assert dry.status == 0, dry.text
    assert "current: nothing -> " in dry.text
    assert rig.listing() == before  # it said what it would do, and did nothing

    first = rig.deploy(apps.beat(folder, 1))
    assert first.status == 0, first.text
    one = rig.running("beat")
    assert first.text.endswith(f"{rig.host}: release {one} of beat runs\n")
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", one)
    _wait_for(rig, "version 1: tick 3")

    after = rig.listing()
    second = rig.deploy(apps.beat(folder, 1))
    assert (second.status, second.text.splitlines()[-1]) == (0, f"{rig.host}: release {one} of beat runs; 0 changes")
    assert _without_pyc(rig.listing()) == _without_pyc(after)
    plain = rig.pyinfra("--yes", APP=str(folder / "beat.py"))
    assert plain.status == 0, plain.text
    assert f"release {one} of beat runs; 0 changes" in plain.text

    dry = rig.deploy(apps.beat(folder, 2), "--dry", "--diff")
    assert '-        print("version 1: tick", one, flush=True)' in dry.text
    assert '+        print("version 2: tick", one, flush=True)' in dry.text
    assert len(re.findall(r"send wheels", dry.text)) == 0
    assert _without_pyc(rig.listing()) == _without_pyc(after)

    new = rig.pyinfra("--yes", APP=str(apps.beat(folder, 2)))
    two = rig.running("beat")
    assert (new.status, two != one) == (0, True), new.text
    assert f"{rig.host}: release {two} of beat runs" in new.text
    _wait_for(rig, "version 2: tick 3")
    releases = rig.root / "opt/axiom/beat/releases"
    assert one not in (releases / two / "venv/bin/axiom-hw").read_text()

    status = rig.run("status", NAME="beat")
    assert status.text == f"{rig.host}: beat: the proven release {two} runs\n  -> {two}\n     {one}\n"

    back = rig.run("rollback", NAME="beat")
    assert back.text.endswith(f"{rig.host}: the proven release {one} runs\n"), back.text
    assert rig.running("beat") == one
    again = rig.run("rollback", NAME="beat")
    assert again.status == 1
    assert f"there is no release before {one} to go back to" in again.text

    gone = rig.run("uninstall", NAME="beat")
    assert gone.text == f"{rig.host}: beat is gone, and nothing of it is left\n"
    assert rig.listing() == before
    assert rig.pids_of(f"{rig.root}/opt/axiom/beat/releases") == []


def test_a_bench_with_pins_prepares_the_board_and_leaves_it_as_it_was(
    rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On the mock, as there are no pins here: the board file still says what a unit on the real ones needs."""
    folder = tmp_path_factory.mktemp("project")
    before = rig.listing()
    app = folder / "button.py"
    app.write_text((Path(__file__).parents[2] / "demos/button.py").read_text())
    failed = rig.deploy(app)
    assert failed.status == 1
    assert "no release runs, as none was proven there yet" in failed.text
    assert "dtoverlay=pwm,pin=12,func=4 of config.txt isn't in force before a reboot" in failed.text
    assert rig.current("button") == ""
    config = (rig.root / "boot/firmware/config.txt").read_text()
    assert config == CONFIG + (
        "# BEGIN axiom-hw button: made by its deploy\n[all]\ndtoverlay=pwm,pin=12,func=4\n# END axiom-hw button\n"
    )
    assert (rig.root / "boot/firmware/config.txt.before-axiom-button").read_text() == CONFIG
    assert 'KERNEL=="iio:device*", GROUP="gpio"' in (rig.root / "etc/udev/rules.d/70-axiom-button.rules").read_text()
    assert "\ngpio:" in (rig.root / "etc/group").read_text()

    mock = rig.deploy(app, ARGS="--mock --real-time")
    assert mock.status == 0, mock.text
    assert rig.running("button")
    assert (rig.root / "boot/firmware/config.txt").read_text() == CONFIG

    assert rig.run("uninstall", NAME="button").status == 0
    after = rig.listing()
    assert after == {**before, **{name: after[name] for name in ("etc/group-", "etc/gshadow-") if name in after}}


def test_two_applications_share_a_board(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What they share, state and groups, goes with the last one; and a latched stop isn't forgotten by the way."""
    folder = tmp_path_factory.mktemp("project")
    before = rig.listing()
    for name in ("beat", "other"):
        done = rig.deploy(apps.beat(folder, 1), NAME=name)
        assert done.status == 0, done.text
    assert rig.run("uninstall", NAME="beat").status == 0
    assert rig.running("other")
    latched = rig.root / "var/lib/axiom_hw/rpi5-bench.stop"
    latched.parent.mkdir(exist_ok=True)
    latched.write_text("somebody pressed it")
    refused = rig.run("uninstall", NAME="other")
    assert refused.status == 1
    assert f"the emergency stop is latched ({latched}), and uninstall would forget it" in refused.text
    assert f"{rig.host}: uninstall failed; the proven release {rig.current('other')} runs" in refused.text
    assert rig.run("uninstall", "--forget-stop", NAME="other").status == 0
    assert rig.listing() == before


def test_the_last_five_releases_are_kept(board: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("project")
    made = []
    for version in range(1, 8):
        done = board.deploy(apps.beat(folder, version), SETTLE="0")
        assert done.status == 0, done.text
        made.append(board.current("beat"))
    kept = sorted(path.name for path in (board.root / "opt/axiom/beat/releases").iterdir())
    assert kept == made[-5:]
    back = board.run("rollback", "--release", made[-4], NAME="beat", SETTLE="0")
    assert back.status == 0, back.text
    assert board.running("beat") == made[-4]


def test_logs_follow(board: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("project")
    assert board.deploy(apps.beat(folder, 9)).status == 0
    process = board.start("logs", NAME="beat")
    try:
        assert process.stdout is not None
        seen = [next(process.stdout) for _ in range(55)]  # more than the 50 that were there
    finally:
        process.kill()
        process.communicate()
    assert "version 9: tick" in seen[-1]


def _wait_for(rig: Rig, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in rig.journal("beat"):
        assert time.monotonic() < deadline, rig.journal("beat")
        time.sleep(0.1)


def _without_pyc(listing: dict[str, str]) -> dict[str, str]:
    """Without what a running application writes by itself."""
    return {name: what for name, what in listing.items() if "__pycache__" not in name and not name.startswith("var/")}
