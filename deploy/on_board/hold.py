"""Hold the board for one deploy: `python3 -c TEXT ROOT NAME WHO`, alive for as long as somebody writes to its input.

The lock is the kernel's, so it goes with this process: when the connection closes, or is silent for 30 s.
"""

import fcntl
import os
import select
import sys
import time

SILENT_S = 30


def main(root: str, name: str, who: str) -> int:
    """Print `held`, or `busy` and who holds it."""
    path = os.path.join(root, "run", f"axiom-{name}.deploy.lock")
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("busy " + os.read(lock, 4096).decode(errors="replace"), flush=True)
            return 12
        try:
            if os.stat(path).st_ino == os.fstat(lock).st_ino:
                break
        except FileNotFoundError:
            pass
        os.close(lock)
    os.ftruncate(lock, 0)
    os.write(lock, f"{who}, since {time.strftime('%H:%M:%S UTC', time.gmtime())}".encode())
    print("held", flush=True)
    while select.select([0], [], [], SILENT_S)[0] and os.read(0, 4096):
        try:
            print("held", flush=True)
        except OSError:
            break
    os.unlink(path)
    return 0


sys.exit(main(*sys.argv[1:4]))
