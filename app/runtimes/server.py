"""What the HTTP servers of both libraries share: their limits, and the time a client has."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import Any

log = logging.getLogger("tandem.wsgi")
KILL_WAIT_S = 1.0  # a killed task closes a socket; one that takes longer is left to itself
MAX_CONNECTIONS = 10_000  # eventlet's own default, 1024, hangs the next connection without a word
KEEPALIVE_S = 75  # idle connections; nginx's default, so a proxy in front closes first
HAS_HUNG_UP = "tandem.has_hung_up"  # in a request's environ: a Presence; absent where unknown
END_WITH_ANSWER = "tandem.end_with_answer"  # there too: called before the answer, which says so
NOT_HTTP = "refused what is not HTTP"
LINGER_S = 2.0  # how long what follows the last answer is dropped, so that its reader gets it
LINGER_BYTES = 1_000_000
PIECE_BYTES = 65_536


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


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Presence:
    """Whether the client of a request is there, by its (plain) socket; never waits."""

    def __init__(self, connection: Any, version: str) -> None:
        self._connection = connection
        self._knows_100 = version == "HTTP/1.1"
        self._is_gone = False

    def __call__(self) -> bool:
        """Whether it has closed its side: it sends no more, and may still read."""
        try:
            return not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            self._is_gone = True
            return True

    def is_gone(self, asks: bool = False) -> bool:
        """Whether nobody reads any more.

        Who has closed both sides looks like who has closed its own, until it is sent something: its
        system says then that it is gone. Before an answer begins that may be a 100 (RFC 9110,
        15.2), which this sends if it `asks`.
        """
        if not self() or self._is_gone:
            return self._is_gone
        if asks and self._knows_100:
            self._knows_100 = False  # once is enough
            with suppress(OSError):
                self._connection.send(CONTINUE)
        # Not what `recv` says: behind the end it says nothing else any more.
        self._is_gone = bool(self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        return self._is_gone


def drop(connection: Any) -> None:
    """Read what a client still sends, up to its end, and drop it; raises OSError.

    Closing with something unread resets a connection, and the last answer may be lost.
    """
    left = LINGER_BYTES
    while left > 0 and (dropped := len(connection.recv(PIECE_BYTES))):
        left -= dropped
