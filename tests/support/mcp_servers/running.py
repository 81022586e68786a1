"""MCP servers as a Tandem's settings have them, and as processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        with open(self.folder / "http.txt", "a") as output:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(SERVER), str(self.port)],
                stdout=output,
                stderr=output,
                env={**os.environ, **self._env},
            )
        assert wait_until(self._is_up, START_S), (self.folder / "http.txt").read_text()
        return process

    def _is_up(self) -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", self.port)) == 0

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

    def restart(self) -> None:
        """End it, and start it on the same port."""
        self.stop()
        self.process = self._start()


def below(pid: int) -> set[int]:
    """Return all processes below one."""
    try:
        found = {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
    return found.union(*(below(child) for child in found))


def is_alive(pid: int) -> bool:
    """Whether there is a process by that number that is more than an entry in a table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool], timeout_s: float = 60) -> bool:
    """Look again and again until it holds; False if it never does."""
    until = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
