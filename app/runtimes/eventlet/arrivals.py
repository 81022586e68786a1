"""What eventlet's server has for a listener where connections come from siblings too."""

from __future__ import annotations

from typing import Any

from app.runtimes.server import log

PAUSE_S = 0.1  # after an accept that failed: too many files, say


class Arrivals:
    """Connections that were accepted, and those that were handed over; to eventlet a socket."""

    def __init__(self, eventlet: Any, listener: Any) -> None:
        """`listener` is a green socket."""
        self._eventlet = eventlet
        self._listener = listener
        self._come = eventlet.queue.LightQueue(0)
        self._accepting = eventlet.spawn(self._accept_all)
        self.family, self.getsockname = listener.family, listener.getsockname

    def accept(self) -> Any:
        """Return the next connection and its address."""
        return self._come.get()

    def take(self, descriptor: int, received: bytes) -> None:
        """Take a connection that another process hands over; waits while there is no room."""
        connection = type(self._listener)(fileno=descriptor)
        try:
            address = connection.getpeername()
        except OSError:  # it has hung up
            connection.close()
            return
        connection.received = received
        self._come.put((connection, address))

    def accept_no_more(self) -> None:
        """Leave all connections that come to others."""
        self._accepting.kill()

    def close(self) -> None:
        """Close the listener."""
        self._listener.close()

    def _accept_all(self) -> None:
        while True:
            try:
                come = self._listener.accept()
            except OSError as error:
                log.error("no connection is accepted for a moment: %s", error.strerror)
                self._eventlet.sleep(PAUSE_S)
            else:
                self._come.put(come)
