"""What the HTTP servers of both libraries share: their limits, and the time a client has."""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

log = logging.getLogger("tandem.wsgi")
KILL_WAIT_S = 1.0  # a killed task closes a socket; one that takes longer is left to itself
MAX_CONNECTIONS = 10_000  # eventlet's own default, 1024, hangs the next connection without a word
KEEPALIVE_S = 75  # idle connections; nginx's default, so a proxy in front closes first
HAS_HUNG_UP = "tandem.has_hung_up"  # in a request's environ: a function; absent where unknown
NOT_HTTP = "refused what is not HTTP"


class HeadTime:
    """How long a connection may take over a request's head, in seconds.

    Between two requests it may be idle for KEEPALIVE_S. The first byte starts the head's time, and
    so does the connection itself: who connects and says nothing takes a place as well.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self.wait_s = seconds  # for the first byte
        self.has_begun = False

    def begin(self) -> None:
        """Note the first byte."""
        self.has_begun = True
        self._until = time.monotonic() + self._seconds

    def left_s(self) -> float:
        """Return how much time is left for the rest."""
        return max(0.0, self._until - time.monotonic())

    def end(self) -> None:
        """Note that the head is here."""
        self.has_begun = False
        self.wait_s = KEEPALIVE_S


def has_hung_up(connection: Any) -> bool:
    """Whether the client of a (plain) socket has closed it; never waits."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
