"""A Redis of the tests' own: a process on a Unix socket in its folder, which keeps nothing."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.support.services import missing

START_S = 30.0


class Redis:
    """It runs from the start on; `kill` it, `start` it again, or let it stand still."""

    def __init__(self, folder: Path) -> None:
        self._command = shutil.which("redis-server") or missing(
            "no redis-server", "apt-get install redis-server"
        )
        self._folder = folder
        self.socket = folder / "redis.sock"
        self.start()

    @property
    def url(self) -> str:
        """Where it is, as REDIS_URL says it."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, with nothing in it."""
        self.socket.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(self.socket), "dir": str(self._folder)}
        options |= {"save": "", "appendonly": "no"}
        given = [part for name, value in options.items() for part in (f"--{name}", value)]
        with open(self._folder / "redis.log", "a") as log:
            self._process = subprocess.Popen([self._command, *given], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, self._log()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as asking, suppress(OSError):
            asking.settimeout(START_S)
            asking.connect(str(self.socket))
            asking.sendall(b"PING\r\n")
            return asking.recv(100) == b"+PONG\r\n"
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.02)
        return False

    def _log(self) -> str:
        return (self._folder / "redis.log").read_text()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def stand_still(self) -> None:
        """Answer nobody, until it goes on; its connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Go on."""
        self._process.send_signal(signal.SIGCONT)
