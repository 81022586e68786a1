"""MCP servers as a Tandem's settings have them, and as processes."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

SERVER = Path(__file__).parent / "server.py"
START_S = 120.0


def stdio(name: str, protocol: str = "auto", more: str = "", **env: Any) -> str:
    """Return the table of a server that is started."""
    pairs = ", ".join(f'{key} = "{value}"' for key, value in env.items())
    return (
        f'[servers.{name}]\ncommand = "{sys.executable}"\nargs = ["-W", "ignore", "{SERVER}"]\n'
        f'protocol = "{protocol}"\nenv = {{ {pairs} }}\n{more}\n'
    )


class HttpServer:
    """An MCP server over HTTP, always on one port."""

    def __init__(self, folder: Path, **env: Any) -> None:
        self.folder = folder
        self._env = {name: str(value) for name, value in env.items()}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(SERVER), str(self.port)],
            stderr=subprocess.PIPE,
            env={**os.environ, **self._env},
        )
        said, printed = process.stderr, b""
        assert said is not None
        while b"running on http" not in printed:
            line = said.readline()
            assert line, printed.decode()
            printed += line
        self._reader = threading.Thread(target=_read, args=(said,))  # a full pipe would hold it up
        self._reader.start()
        return process

    def table(self, name: str, protocol: str = "auto", more: str = "") -> str:
        """Return its table."""
        return (
            f'[servers.{name}]\nurl = "http://127.0.0.1:{self.port}/mcp"\n'
            f'protocol = "{protocol}"\n{more}\n'
        )

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def restart(self) -> None:
        """End it, and start it on the same port."""
        self.stop()
        self.process = self._start()


def _read(said: IO[bytes]) -> None:
    with said:
        said.read()


def below(pid: int) -> set[int]:
    """Return all processes below one."""
    try:
        found = {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
    return found.union(*(below(child) for child in found))


def ended(pids: Iterable[int], timeout_s: float = 60) -> bool:
    """Wait for the end of processes that need not be our own; False if one goes on."""
    until = time.monotonic() + timeout_s
    for pid in pids:
        with suppress(ProcessLookupError):
            end = os.pidfd_open(pid)
            left = max(0.0, until - time.monotonic())
            over, _, _ = select.select([end], [], [], left)
            os.close(end)
            if not over:
                return False
    return True


class Seen:
    """What servers leave behind for a test that has a place for it: a pipe with a name, which is
    read as they write. They are given its path as SEEN."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        # Read and written here, so that no writer waits for a reader, nor a reader sees an end.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._words: list[str] = []
        self._rest = b""

    def wait_for(self, word: str, timeout_s: float = 60) -> bool:
        """Wait for a word; False if it does not come."""
        until = time.monotonic() + timeout_s
        while word not in self._words:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._pipe], [], [], left)[0]:
                return False
            *lines, self._rest = (self._rest + os.read(self._pipe, 65_536)).split(b"\n")
            self._words += [line.decode() for line in lines]
        return True

    def close(self) -> None:
        """Leave the pipe."""
        os.close(self._pipe)
