"""Websockets under gevent: simple-websocket 1.1 calls `send` and takes it for `sendall`.

A frame that the socket takes only a part of would end in the middle; the client would hang up. It
looks for its socket in `wsgi.input`; this is the one it finds.
"""

from __future__ import annotations

import socket
import threading
from typing import Any


class WholeSends:
    """A socket whose `send` sends all, one frame at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, data: bytes) -> int:
        """Send all of it."""
        with self._lock:
            self._connection.sendall(data)
        return len(data)

    def dup(self) -> WholeSends:
        """Return the same for a duplicate, which its owner closes."""
        return WholeSends(self._connection.dup())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class WebSocketInput:
    """What simple-websocket looks for in the environ: `raw._sock`."""

    def __init__(self, connection: socket.socket) -> None:
        self.raw = self
        self._sock = WholeSends(connection)
