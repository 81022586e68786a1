"""A server that a nursery has forked, asked and told as a subprocess.Popen is."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

NURSERY = Path(__file__).with_name("nursery.py")
START_S = 120.0
KILLED = -int(signal.SIGKILL)


class Forked:
    """One server. `returncode` is None while it runs."""

    returncode: int | None = None

    def __init__(self, connection: socket.socket, command: list[str]) -> None:
        self.args = command
        self._connection = connection
        self._said = b""
        first = self._line(START_S)
        if not first:
            raise OSError("the nursery has forked nothing")
        self.pid = int(first)

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            line = self._line(timeout)
            if line is not None:
                self.returncode = int(line) if line else KILLED
                self._connection.close()
        return self.returncode

    def _line(self, timeout: float | None) -> bytes | None:
        """Return the next line; an empty one where there will be none, None where it is late."""
        until = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._said:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._connection], [], [], left)[0]:
                return None
            more = self._connection.recv(100)
            if not more:
                return b""
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return line


class Nurseries:
    """Of each way to start Python one, from the first time on that it is asked for."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}

    def fork(self, environ: Mapping[str, str], folder: Path, output: Path) -> Forked:
        """Fork a server. Raises OSError."""
        mode = environ["ASYNC_MODE"]
        path = self._paths.get(mode) or self._start(mode, environ["PATH"])
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
        told = {"environ": dict(environ), "folder": str(folder), "output": str(output)}
        connection.sendall(json.dumps(told).encode() + b"\n")
        return Forked(connection, [sys.executable, "run.py"])

    def _start(self, mode: str, path: str) -> str:
        folder = tempfile.TemporaryDirectory(prefix="tandem-nursery-")
        address = str(Path(folder.name) / "nursery")
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(NURSERY), address],
            cwd=folder.name,
            env={"PATH": path, "HOME": folder.name, "PYTHONUNBUFFERED": "1", "ASYNC_MODE": mode},
        )
        atexit.register(folder.cleanup)
        atexit.register(process.kill)
        deadline = time.monotonic() + START_S
        while not os.path.exists(address) and time.monotonic() < deadline:
            try:
                process.wait(0.02)
                break
            except subprocess.TimeoutExpired:
                pass
        self._paths[mode] = address
        return address


nurseries = Nurseries()
