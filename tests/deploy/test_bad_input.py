"""What goes wrong before anything changes: each ends in a sentence about the board, and what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.deploy import apps
from tests.deploy.rig import Rig

UNTOUCHED: Final = "nothing was changed there by this deploy"
# An interpreter that lies about one thing, as the board's Python: what a deploy asks of it is real all the same.
LIAR: Final = """\
#!{python}
import platform, sys
sys.argv = ["-c", *sys.argv[3:]] if sys.argv[1] == "-c" else sys.argv
text = open({observe!r}).read()
{lie}
exec(compile(text, "observe.py", "exec"), {{"__name__": "observed"}})
"""


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that works."""
    return apps.beat(tmp_path_factory.mktemp("project"), 1)


def _liar(board: Rig, lie: str) -> str:
    path = board.tree / "bin/liar"
    observe = str(Path(__file__).parents[2] / "deploy/on_board/observe.py")
    path.write_text(LIAR.format(python=board.python, observe=observe, lie=lie))
    path.chmod(0o755)
    return str(path)


def _ends(board: Rig, app: Path, *sentences: str, **more: str) -> None:
    before = board.listing()
    done = board.deploy(app, **more)
    host = more.get("HOST", board.host)
    expected = "\n".join((*sentences, f"{host}: {UNTOUCHED}")) + "\n"
    assert done.status == 1
    assert done.text.partition("instructions a run\n")[2] == expected
    assert board.listing() == before


def test_nobody_answers(board: Rig, app: Path) -> None:
    _ends(
        board, app, "root@127.0.0.1:9: doesn't answer on port 9: [Errno None] Unable to connect to port 9 on 127.0.0.1",
        "    fix    is it on, and is SSH enabled there? raspi-config", HOST="root@127.0.0.1:9",
    )  # fmt: skip


def test_no_such_machine(board: Rig, app: Path) -> None:
    _ends(
        board, app, "pi@nobody.invalid: there is no machine by the name nobody.invalid",
        "    fix    is it on, and on this network? ping it", HOST="pi@nobody.invalid",
    )  # fmt: skip


def test_a_key_that_it_does_not_know(board: Rig, app: Path) -> None:
    _ends(
        board, app, f"{board.host}: lets root in by none of this laptop's keys",
        f"    fix    ssh-copy-id -p {board.port} root@127.0.0.1, or name the key: KEY=~/.ssh/id_ed25519",
        KEY=str(board.tree / "other_key"),
    )  # fmt: skip


def test_a_host_key_that_is_not_known(board: Rig, app: Path) -> None:
    empty = board.tree / "nobody_known"
    empty.write_text("")
    _ends(
        board, app, f"{board.host}: its host key isn't known: {empty} has none of [127.0.0.1]:{board.port}",
        "    fix    connect once by hand, and compare the key that it shows with the board's: "
        f"ssh -p {board.port} 127.0.0.1",
        KNOWN_HOSTS=str(empty),
    )  # fmt: skip
    assert empty.read_text() == ""  # and it isn't learned on the way


def test_a_host_key_that_has_changed(board: Rig, app: Path) -> None:
    other = board.tree / "other_known"
    kind, key, *_ = (board.tree / "other_key.pub").read_text().split()
    other.write_text(f"[127.0.0.1]:{board.port} {kind} {key}\n")
    _ends(
        board, app,
        f"{board.host}: its host key isn't the one in {other}: another machine answers, or it was installed anew",
        f"    fix    if it was installed anew: ssh-keygen -R '[127.0.0.1]:{board.port}', and connect once by hand",
        KNOWN_HOSTS=str(other),
    )  # fmt: skip


def test_a_python_that_is_too_old(board: Rig, app: Path) -> None:
    liar = _liar(board, "sys.version_info = (3, 9, 2, 'final', 0)")
    _ends(
        board, app, f"{board.host}: its {liar} is Python 3.9.2, and axiom_hw needs 3.11 or later",
        "    fix    install Raspberry Pi OS bookworm or later, or name another one on the board: "
        "BOARD_PYTHON=python3.13", BOARD_PYTHON=liar,
    )  # fmt: skip


def test_no_python_at_all(board: Rig, app: Path) -> None:
    _ends(
        board, app, f"{board.host}: has no `python9`, and axiom_hw needs Python 3.11 or later",
        "    fix    sudo apt install python3, or name the one it has: BOARD_PYTHON=/usr/local/bin/python3.13",
        BOARD_PYTHON="python9",
    )  # fmt: skip


def test_a_processor_without_wheels(board: Rig, app: Path) -> None:
    """For 32-bit systems nobody builds wheels of gpiod; the kernel may be a 64-bit one all the same."""
    liar = _liar(board, "import struct; struct.calcsize = lambda _: 4; platform.machine = lambda: 'aarch64'")
    done = board.deploy(app, BOARD_PYTHON=liar)
    assert done.status == 1
    assert "has no wheel for Python 3.11 on armv7l with glibc 2." in done.text
    assert "fix    axiom_hw is made for 64-bit systems: install the 64-bit Raspberry Pi OS on it" in done.text
    assert done.text.endswith(f"{board.host}: {UNTOUCHED}\n")


def test_a_board_that_is_no_pi(board: Rig, app: Path) -> None:
    tree = board.root / "proc/device-tree"
    hidden = board.tree / "device-tree"
    tree.rename(hidden)
    try:
        _ends(
            board, app, f"{board.host}: is no Raspberry Pi: it has no /proc/device-tree/model",
            "    fix    check HOST; if it is meant, FORCE=1: what the board file names must be there then, or the "
            "release fails its health gate and is taken back",
        )  # fmt: skip
        forced = board.deploy(app, "--dry", FORCE="1")
        assert (forced.status, "current: nothing -> " in forced.text) == (0, True), forced.text
    finally:
        hidden.rename(tree)


def test_another_pi_than_the_board_file_is_for(board: Rig, tmp_path_factory: pytest.TempPathFactory) -> None:
    app = tmp_path_factory.mktemp("project") / "button.py"
    app.write_text((Path(__file__).parents[2] / "demos/button.py").read_text())
    done = board.deploy(app, BOARD="rpi4-bench")
    assert done.status == 1
    assert f"{board.host}: is a Raspberry Pi 5 Model B Rev 1.0; " in done.text
    assert "rpi4-bench.toml is for a Raspberry Pi 4" in done.text


def test_an_application_that_cannot_be_imported(board: Rig, app: Path) -> None:
    app.write_text("import axiom_hw\nraise OSError('no such luck')\n")
    done = board.deploy(app)
    assert done.status == 1
    assert f"{app}: can't be imported, so nothing was sent:\n" in done.text
    assert "OSError: no such luck" in done.text


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"HOST": ""}, "deploy: is told no board\n    fix    HOST=pi@raspberrypi.local\n"),
        ({"HOST": "pi@@x"}, "pi@@x: is no address of a board\n    fix    as in HOST=pi@raspberrypi.local, or "),
        ({"APP": "demos/none.py"}, "demos/none.py: there is no such file\n    fix    name the application: "),
        ({"APP": ""}, "deploy: is told neither which application nor its name\n    fix    APP=demos/button.py, or "),
        ({"NAME": "Not/good"}, "Not/good: can't name a unit: that takes up to 41 of a to z, 0 to 9 and -\n"),
        ({"KEEP": "1"}, "KEEP=1: leaves no release to go back to\n    fix    keep at least 2\n"),
    ],
)  # fmt: skip
def test_settings(board: Rig, app: Path, more: dict[str, str], sentence: str) -> None:
    done = board.run("deploy", **{"APP": str(app), **more})
    assert done.status == 1
    assert done.text.startswith(sentence)


def test_two_deploys_at_once(board: Rig, app: Path) -> None:
    """The second is told who the first is. The lock goes with that, also when it is killed."""
    assert board.deploy(app).status == 0
    one = board.running("beat")
    text = (Path(__file__).parents[2] / "deploy/on_board/hold.py").read_text()
    words = [board.python, "-c", text, str(board.root), "beat", "ada@laptop"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        app.write_text(app.read_text().replace("version 1", "version 2"))
        second = board.deploy(app)
        assert second.status == 1
        assert f"{board.host}: is being deployed to by ada@laptop, since " in second.text
        assert "fix    wait until that is done; the lock goes with that process, also when it is killed" in second.text
        assert second.text.endswith(f"{board.host}: the proven release {one} runs; mend it, and deploy again\n")
        first.stdin.write(b".")
        first.stdin.flush()
        assert "  being deployed to by ada@laptop, since " in board.run("status", NAME="beat").text
        first.kill()
    third = board.deploy(app)
    assert third.status == 0, third.text


def test_a_full_disk(rig: Rig, app: Path) -> None:
    """Told beforehand where it can be known; where it fills up under way, nothing half stays behind."""
    opt, image = rig.root / "opt", rig.tree / "image"
    subprocess.run(["truncate", "--size", "440M", str(image)], check=True)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(opt)], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    filler = opt / "filler"
    try:
        subprocess.run(["fallocate", "--length", "300M", str(filler)], check=True)
        done = rig.deploy(app)
        assert done.status == 1
        assert re.search(
            rf"{rig.host}: has \d+ MB free, and this release takes \d+ MB\n    fix    make room", done.text
        )
        assert done.text.endswith(f"{rig.host}: {UNTOUCHED}\n")
        assert not (opt / "axiom").exists()

        filler.unlink()
        process = rig.start("deploy", APP=str(app))
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("[") and "send wheels" in line)
        subprocess.run(["fallocate", "--length", "390M", str(filler)], check=True)
        said, _ = process.communicate()
        assert process.returncode == 1
        assert "disk" in said, said
        assert f"{rig.host}: no release runs, as none was proven there yet; mend it, and deploy again\n" in said
        assert rig.running("beat") == ""
    finally:
        subprocess.run(["umount", "--lazy", str(opt)], check=True)
