"""A client's connection that belongs to another process of the server: handed over, and taken.

A client that polls sends each request on any connection, and its session is in one process. Once a
request's head is read it is known which; that process gets the connection, with all that was read
of it, and goes on as if it had accepted it.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable
from typing import Any

from app.runtimes.runtime import Siblings
from app.runtimes.server import log

READ_BYTES = 8192  # at least; as the libraries read


class Handover:
    """How a library's server hands connections over; `unwatch` takes a descriptor out of what the
    library's hub has registered with the kernel."""

    def __init__(self, siblings: Siblings, unwatch: Callable[[int], None]) -> None:
        self._siblings = siblings
        self._unwatch = unwatch

    def passed_on(self, path: str, head: bytes, behind: bytes, connection: Any) -> bool:
        """Whether a request was another's, who has the connection now: for us it is at its end."""
        owner = self._siblings.owner_of(path)
        if not owner or not self._siblings.hand(owner, connection.fileno(), head + behind):
            return False
        self._unwatch(connection.fileno())
        _let_go(connection.fileno())
        return True


def warn_of_polling() -> None:
    """Say in the log that requests are answered where they come."""
    log.warning("no connection can be handed to another process: Socket.IO needs websockets")


def _let_go(descriptor: int) -> None:
    """Put another, ended connection in this one's place: the library is about to shut it down, and
    that would be the client's, whoever has it."""
    ended, other = socket.socketpair()
    with ended, other:
        os.dup2(ended.fileno(), descriptor, inheritable=False)


class Begun(io.RawIOBase):
    """A connection's stream, what was received before first."""

    def __init__(self, received: bytes, rest: Any) -> None:
        self._received = received
        self._rest = rest

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come; waits for it once all that was received before is read."""
        if not self._received:
            read: int | None = self._rest.readinto(buffer)
            return read
        size = min(len(buffer), len(self._received))
        buffer[:size], self._received = self._received[:size], self._received[size:]
        return size

    def close(self) -> None:
        """Close the connection's stream."""
        super().close()
        self._rest.close()


def stream_of(connection: Any, given: Any) -> Any:
    """Return what a connection is read by: `given`, unless something was received before."""
    received = getattr(connection, "received", b"")
    if not received:
        return given
    given.close()
    # All of it in one read: what is behind a handshake is taken from the buffer.
    size = max(READ_BYTES, len(received))
    return io.BufferedReader(Begun(received, connection.makefile("rb", buffering=0)), size)
