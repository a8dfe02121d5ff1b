"""The GPS demo with real backends, on a pseudo-terminal: pyserial, the thread of the port, native code, the ring."""

from __future__ import annotations

import os
import runpy
import select
import signal
import subprocess
import sys
import tty
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = ("GPRMC,120000.00,A,4807.03800,N,01131.00000,E,0.5,90.0,221126,,,A",)


@pytest.mark.llvm
def test_positions_come_through_a_real_port(tmp_path: Path) -> None:
    sentence = runpy.run_path(str(ROOT / "demos/serial_gps.py"))["sentence"]
    master, slave = os.openpty()
    tty.setraw(slave)
    (tmp_path / "ttyGPS").symlink_to(os.ttyname(slave))
    os.set_blocking(master, False)
    board = tmp_path / "pty.toml"
    board.write_text(f'[serial.gps]\nport = "{tmp_path}/ttyGPS"\nbaud = 9600\n')
    command = [sys.executable, "demos/serial_gps.py", "--board", str(board), "--no-cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as demo:
        assert demo.stdout is not None
        out = b""
        for _ in range(1200):  # opening a port drops what came before: talk until it answers
            with suppress(BlockingIOError):  # nobody reads yet
                os.write(master, b"".join(sentence(line) for line in LINES))
            if select.select([demo.stdout], [], [], 0.05)[0]:
                said = os.read(demo.stdout.fileno(), 4096)
                out += said
                if not said or out.count(b"\n") >= 2:
                    break
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=30)
    os.close(master)
    os.close(slave)
    assert demo.returncode == 0, err
    assert b"latitude +48.1173000  longitude +11.5166666  satellites  0" in out
