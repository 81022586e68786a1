"""One life of the process that speaks MCP, and the socket to it.

A socket, not two pipes: under eventlet and gevent a socket is what can be waited for without
holding up the others, and with threads it is a socket like any other.
"""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.runs.ports import Runtime

log = logging.getLogger(__name__)
# As `python -m app.tools.mcp.child`, wherever `app` is.
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r}); import runpy; "
    "runpy.run_module('app.tools.mcp.child', run_name='__main__', alter_sys=True)"
)
READ_BYTES = 2**18
LOOK_S = 0.02  # between looks whether it has ended
Line = Mapping[str, Any]


class Process:
    """A process that runs. `told` is called with each of its lines, `gone` once, when it has ended;
    both in a task of their own."""

    def __init__(
        self,
        setup: Line,
        runtime: Runtime,
        silence_s: float,
        told: Callable[[Line], None],
        gone: Callable[[], None],
    ) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                stdin=theirs.fileno(),
                stdout=2,  # what a library prints is no line of ours
                start_new_session=True,  # Ctrl-C in a terminal is the server's to deal with
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.settimeout(silence_s)  # it shows more often that it lives
        self.pid = self._process.pid
        self._socket = ours
        self._runtime = runtime
        self._told = told
        self._gone = gone
        self._is_over = False
        self._lines: deque[bytes] = deque()
        self._waiter = runtime.new_waiter()
        self.send(setup)
        runtime.spawn(self._write)
        runtime.spawn(self._read)

    def send(self, line: Line) -> None:
        """Send a line, some time. Never waits."""
        self._lines.append(json.dumps(line).encode() + b"\n")
        self._waiter.wake()

    def end(self, patience_s: float) -> None:
        """Ask it to end, and wait; kill it if it takes longer."""
        self._shut(socket.SHUT_WR)
        if not self._ends_within(patience_s):
            self._process.kill()
            self._ends_within(patience_s)

    def _shut(self, how: int) -> None:
        try:
            self._socket.shutdown(how)
        except OSError:
            pass  # it has gone

    def _write(self) -> None:
        try:
            while not self._is_over:
                while self._lines:
                    self._socket.sendall(self._lines.popleft())
                self._waiter.wait()
        except OSError:
            self._shut(socket.SHUT_RDWR)  # which the reader sees

    def _read(self) -> None:
        parts: list[bytes] = []
        try:
            while data := self._socket.recv(READ_BYTES):
                *lines, rest = data.split(b"\n")
                for line in lines:
                    self._take(b"".join([*parts, line]))
                    parts = []
                parts.append(rest)
        except OSError as error:
            log.warning("the process for MCP servers is silent, and is ended: %s", error)
        finally:
            self._is_over = True
            self._waiter.wake()
            self._process.kill()
            self._ends_within(5.0)
            self._socket.close()
            self._gone()

    def _take(self, line: bytes) -> None:
        try:
            self._told(json.loads(line))
        except Exception:
            log.exception("a line of the process for MCP servers was not understood")

    def _ends_within(self, seconds: float) -> bool:
        for _ in range(int(seconds / LOOK_S) + 1):
            if self._process.poll() is not None:
                return True
            self._runtime.sleep(LOOK_S)
        return False
