"""A stand-in for systemd where there is none: starts, watches, stops and restarts the units of a throw-away tree.

`python manager.py ROOT` serves standin.sock beside ROOT. What it does is real: processes, the notify socket, the
watchdog, restarts, the start limit, ExecStartPre= and ExecStopPost=. What it leaves out is the sandbox.
Units are read at their first use and at daemon-reload, as systemd does, not whenever they are needed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

Text = dict[str, list[str]]


class Unit:
    """One unit. Synchronization: `lock`, held by who changes its state; a start waits without it."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.name = root, name
        self.lock = threading.Condition()
        self.text: Text = {}
        self.state, self.sub, self.pid, self.restarts = "inactive", "dead", 0, 0
        self.starts: list[float] = []
        self.wanted = False
        self.generation = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.reload()

    def reload(self) -> None:
        found: Text = defaultdict(list)
        path = self.root / "etc/systemd/system" / self.name
        for line in path.read_text().splitlines() if path.exists() else ():
            if "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                found[key].append(value)
        self.text = found

    def one(self, key: str, default: str = "") -> str:
        return self.text[key][-1] if self.text.get(key) else default

    # verbs

    def start(self) -> int:
        with self.lock:
            if self.state == "active":
                return 0
            if not self.text.get("ExecStart"):
                return 5  # as systemctl: the unit isn't there
            self.wanted = True
            self.generation += 1
            mine = self.generation
        return 0 if self._attempt(mine) else 1

    def stop(self) -> int:
        with self.lock:
            self.wanted = False
            self.generation += 1
            process = self.process
            if process is not None:
                self.state, self.sub = "deactivating", "stop-sigterm"
        if process is not None:
            self._end(process)
        with self.lock:
            self.lock.wait_for(lambda: self.process is None, 30)
            self.state, self.sub, self.pid = "inactive", "dead", 0
        return 0

    def reset(self) -> int:
        with self.lock:
            self.starts.clear()
            self.restarts = 0
            if self.state == "failed":
                self.state, self.sub = "inactive", "dead"
        return 0

    # a start

    def _attempt(self, mine: int) -> bool:
        """Whether it became ready."""
        with self.lock:
            now = time.monotonic()
            span = float(self.one("StartLimitIntervalSec", "300"))
            self.starts = [at for at in self.starts if now - at < span]
            if len(self.starts) >= int(self.one("StartLimitBurst", "10")):
                self.state, self.sub = "failed", "start-limit-hit"
                self.log("start request repeated too quickly")
                return False
            self.starts.append(now)
            self.state, self.sub = "activating", "start-pre"
        environment = self._environment()
        for line in self.text.get("ExecStartPre", ()):
            if self._run(line, environment):
                return self._fell(mine, "exit-code", 0)
        notify = self.root.parent / f"{self.name}.notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(str(notify))
            environment["NOTIFY_SOCKET"] = str(notify)
            watchdog_s = float(self.one("WatchdogSec", "0"))
            if watchdog_s:
                environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
            process = self._spawn(self.one("ExecStart"), environment)
            with self.lock:
                self.process, self.pid, self.sub = process, process.pid, "start"
            ready = self._wait_ready(ear, process)
            if ready:
                with self.lock:
                    self.state, self.sub = "active", "running"
                ear = socket.socket(fileno=os.dup(ear.fileno()))
                threading.Thread(target=self._watch, args=(ear, process, mine, watchdog_s), daemon=True).start()
                return True
        self._end(process)
        return self._over(process, mine, "timeout" if process.returncode == -15 else "exit-code")

    def _wait_ready(self, ear: socket.socket, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + float(self.one("TimeoutStartSec", "90"))
        ear.settimeout(0.05)
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if b"READY=1" in ear.recv(4096).split(b"\n"):
                    return True
            except TimeoutError:
                continue
        return False

    def _watch(self, ear: socket.socket, process: subprocess.Popen[bytes], mine: int, watchdog_s: float) -> None:
        heard = time.monotonic()
        with ear:
            ear.settimeout(0.05)
            while process.poll() is None:
                with suppress(TimeoutError):
                    heard = time.monotonic() if b"WATCHDOG=1" in ear.recv(4096) else heard
                if watchdog_s and time.monotonic() - heard > watchdog_s:
                    self.log("watchdog timeout")
                    process.send_signal(signal.SIGABRT)
                    watchdog_s = 0
        self._over(process, mine, "exit-code")

    def _over(self, process: subprocess.Popen[bytes], mine: int, result: str) -> bool:
        """The main process is gone: what else is in its group goes, ExecStopPost= runs, and it may be started again."""
        status = process.wait()
        for line in self.text.get("ExecStopPost", ()):
            self._run(line, self._environment())
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # KillMode=mixed
        if self.one("RuntimeDirectory"):
            shutil.rmtree(self.root / "run" / self.one("RuntimeDirectory"), ignore_errors=True)
        with self.lock:
            self.process, self.pid = None, 0
            self.lock.notify_all()
        self.log(f"main process exited, status={status}")
        return self._fell(mine, result, status) if status or self.state == "activating" else self._stopped()

    def _stopped(self) -> bool:
        with self.lock:
            self.state, self.sub = "inactive", "dead"
        return False

    def _fell(self, mine: int, result: str, status: int) -> bool:
        final = str(status) in self.one("RestartPreventExitStatus").split()
        with self.lock:
            if not self.wanted or mine != self.generation:
                return False
            if self.one("Restart") != "on-failure" or final:
                self.state, self.sub = "failed", "failed"
                return False
            self.state, self.sub = "activating", "auto-restart"
        threading.Thread(target=self._again, args=(mine,), daemon=True).start()
        return False

    def _again(self, mine: int) -> None:
        time.sleep(min(float(self.one("RestartSec", "0.1")), 1.0))  # ten times as quick as a real unit's
        with self.lock:
            if not self.wanted or mine != self.generation:
                return
            self.restarts += 1
        self._attempt(mine)

    # processes

    def _environment(self) -> dict[str, str]:
        made = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG")}
        for key, base, name in (
            ("StateDirectory", "var/lib", "STATE_DIRECTORY"), ("CacheDirectory", "var/cache", "CACHE_DIRECTORY"),
            ("RuntimeDirectory", "run", "RUNTIME_DIRECTORY"),
        ):  # fmt: skip
            if self.one(key):
                path = self.root / base / self.one(key)
                path.mkdir(parents=True, exist_ok=True)
                made[name] = str(path)
        for line in self.text.get("Environment", ()):
            key, value = self._expand(line).split("=", 1)
            made[key] = value
        return made

    def _expand(self, text: str) -> str:
        return text.replace("%t", f"{self.root}/run").replace("%C", f"{self.root}/var/cache").replace("%%", "%")

    def _words(self, line: str) -> list[str]:
        return [self._expand(word).replace("$$", "$") for word in shlex.split(line.lstrip("+-!@:"))]

    def _run(self, line: str, environment: dict[str, str]) -> int:
        with open(self._journal(), "ab") as journal:
            return subprocess.run(
                self._words(line), env=environment, stdout=journal, stderr=journal, check=False
            ).returncode

    def _spawn(self, line: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        as_main = ["/bin/sh", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "sh"]
        with open(self._journal(), "ab") as journal:
            return subprocess.Popen(
                [*as_main, *self._words(line)], env=environment, stdout=journal, stderr=journal,
                stdin=subprocess.DEVNULL, cwd=self._expand(self.one("WorkingDirectory", "/")), start_new_session=True,
            )  # fmt: skip

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(float(self.one("TimeoutStopSec", "15")))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

    def _journal(self) -> Path:
        path = self.root.parent / "journal" / self.name
        path.parent.mkdir(exist_ok=True)
        return path

    def log(self, text: str) -> None:
        with open(self._journal(), "a") as journal:
            journal.write(f"systemd: {self.name}: {text}\n")


def main(root: Path) -> None:
    """Serve until killed."""
    units: dict[str, Unit] = {}
    address = root.parent / "standin.sock"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(address))
        server.listen()
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, root, units), daemon=True).start()


def _serve(client: socket.socket, root: Path, units: dict[str, Unit]) -> None:
    with client, client.makefile("rw") as stream:
        verb, *names = json.loads(stream.readline())
        if verb == "daemon-reload":
            for unit in units.values():
                unit.reload()
            answer: dict[str, object] = {"status": 0}
        else:
            unit = units.setdefault(names[0], Unit(root, names[0]))
            if not unit.text.get("ExecStart"):
                unit.reload()
            match verb:
                case "start":
                    answer = {"status": unit.start()}
                case "stop":
                    answer = {"status": unit.stop()}
                case "restart":
                    unit.stop()
                    answer = {"status": unit.start()}
                case "reset-failed":
                    answer = {"status": unit.reset()}
                case _:
                    shown = {
                        "ActiveState": unit.state,
                        "SubState": unit.sub,
                        "MainPID": unit.pid,
                        "NRestarts": unit.restarts,
                    }
                    answer = {"status": 0, "show": shown}
        stream.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
