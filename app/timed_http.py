"""The HTTP servers' request handlers, with limits for how long a client may take.

Made from the library's class, which the runtime hands in. Besides: the libraries' own lines about
what is not HTTP show what was sent, tokens included; ours do not.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from app.whole_sends import WebSocketInput

log = logging.getLogger("tandem.wsgi")

KEEPALIVE_S = 75  # idle connections; nginx's default, so a proxy in front closes first
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


class WholeWriter:
    """What eventlet's server writes answers to: each write goes out whole, and at once.

    Its own is a buffer that is flushed after each write, over three layers that each try to wait.
    """

    closed = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._send = connection.fd.send  # never waits

    def write(self, data: bytes) -> None:
        """Send all of it; waits for a client that is slow to read. Raises OSError."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._connection.sendall(data[sent:])

    def writelines(self, parts: Iterable[bytes]) -> None:
        """Send them in one write. Raises OSError."""
        self.write(b"".join(parts))

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The connection is closed by others."""
        self.closed = True


def timed_eventlet_protocol(protocol: Any, timeout: Any, seconds: float) -> type:
    """Return eventlet's HttpProtocol with `seconds` for a head, and for a body that nobody reads;
    `timeout` is eventlet's."""

    class Timed(protocol):  # type: ignore[misc]
        close_connection: bool

        def setup(self) -> None:
            super().setup()
            self.wfile = WholeWriter(self.connection)
            self.head = HeadTime(seconds)

        def _read_request_line(self) -> Any:
            self.connection.settimeout(None)  # the library's is for writing
            with suppress(OSError), timeout(self.head.wait_s, False):
                if not self.rfile.closed and self.rfile.peek(1):
                    self.head.begin()
            if self.head.has_begun:
                with timeout(self.head.left_s(), False):
                    return super()._read_request_line()
            return ""

        def parse_request(self) -> bool:
            with timeout(self.head.left_s(), False):
                parsed = bool(super().parse_request())
                self.head.end()
                return parsed
            self.close_connection = True
            return False

        def get_environ(self) -> Any:
            environ = super().get_environ()
            environ["tandem.has_hung_up"] = partial(has_hung_up, self.connection.fd)
            body = environ["eventlet.input"]
            discard = body.discard

            def discard_in_time() -> None:
                # ValueError: chunks that are none. The library's line would show the URL.
                with suppress(OSError, ValueError), timeout(seconds, False):
                    if not hasattr(body, "is_over"):
                        discard()
                        return
                self.close_connection = True

            body.discard = discard_in_time
            return environ

        def log_error(self, format: str, *args: Any) -> None:
            log.info(NOT_HTTP)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: log_error has said it."""

    return Timed


def timed_gevent_handler(
    handler: Any, timeout: Any, killed: type[BaseException], seconds: float, stall_s: float
) -> type:
    """Return gevent's WSGIHandler with `seconds` for a head, and for a body that nobody reads, and
    `stall_s` for a write; `timeout` and `killed` are gevent's."""

    class Timed(handler):  # type: ignore[misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.head = HeadTime(seconds)

        def read_requestline(self) -> Any:
            with timeout(self.head.wait_s, False):
                if self.rfile.peek(1):
                    self.head.begin()
            if self.head.has_begun:
                with timeout(self.head.left_s(), False):
                    return super().read_requestline()
            return ""

        def read_request(self, raw_requestline: Any) -> Any:
            with suppress(OSError), timeout(self.head.left_s(), False):
                read = super().read_request(raw_requestline)
                self.head.end()
                return read
            self.close_connection = True
            return None

        def run_application(self) -> None:
            if "HTTP_UPGRADE" in self.environ:
                self.environ["wsgi.input"] = WebSocketInput(self.socket)
            else:
                self.environ["tandem.has_hung_up"] = partial(has_hung_up, self.socket._sock)
                self.socket.settimeout(stall_s)
            try:
                super().run_application()
            finally:
                self.socket.settimeout(None)
                self._discard_in_time()

        def _discard_in_time(self) -> None:
            body = self.wsgi_input
            with suppress(OSError), timeout(seconds, False):
                body._discard()
                if not body._chunked_input_error:
                    return
            self.close_connection = True
            body._chunked_input_error = True  # the library is about to discard it again

        def log_error(self, msg: str, *args: Any) -> None:
            log.info(NOT_HTTP)

        def _log_error(self, kind: Any, error: Any, traceback: Any) -> None:
            # The library's way leads past our handlers, which take secrets out.
            if not issubclass(kind, killed):
                log.error("a request failed", exc_info=(kind, error, traceback))

    return Timed
