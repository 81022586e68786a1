"""eventlet's HTTP request handler, with a strict parser, and limits for how long a client may take.

Made from the library's class, which the runtime hands in. The library's own lines about what is not
HTTP show what was sent, tokens included; ours do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from http.client import HTTPMessage
from typing import Any

from app.runtimes.chunks import Chunks
from app.runtimes.eventlet.checks import Tricks
from app.runtimes.handover import Handover, stream_of
from app.runtimes.requests import Head, next_head, take_head
from app.runtimes.server import END_WITH_ANSWER, HAS_HUNG_UP, NOT_HTTP, HeadTime, Presence, log
from app.runtimes.turns import Pipeline, Turns
from app.runtimes.websockets.websocket import LINK, Link


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

    def mute(self) -> None:
        """Drop what is written from now on: the connection is a websocket's."""
        self.write = _nothing  # type: ignore[method-assign]

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The connection is closed by others."""
        self.closed = True


def _nothing(data: bytes) -> None:
    """Drop it."""


def request_handler(
    wsgi: Any,
    timeout: Any,
    seconds: float,
    tricks: Tricks,
    turns: Turns,
    new_pipeline: Callable[[Any], Pipeline],
    handover: Handover | None,
) -> type:
    """Return the HttpProtocol of eventlet's module with our log lines and, as far as the tricks can
    be used, our writer, websockets, and `seconds` for a head, and for a body that nobody reads;
    `timeout` is eventlet's, `new_pipeline` is given a connection's plain socket, and `handover` is
    None where there is nobody to hand connections to."""
    handler = _quiet(wsgi.HttpProtocol)
    if tricks.requests:
        handler = _timed(handler, timeout, seconds, turns, new_pipeline, handover)
    return _direct(handler, wsgi, timeout) if tricks.websockets else handler


def _quiet(protocol: Any) -> type:
    class Quiet(protocol):  # type: ignore[misc]
        def log_error(self, format: str, *args: Any) -> None:
            log.info(NOT_HTTP)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: log_error has said it."""

    return Quiet


def _timed(
    protocol: Any,
    timeout: Any,
    seconds: float,
    turns: Turns,
    new_pipeline: Callable[[Any], Pipeline],
    handover: Handover | None,
) -> type:
    class Timed(protocol):  # type: ignore[misc]
        close_connection: bool
        head: Head | None
        rfile: Any

        def setup(self) -> None:
            super().setup()
            self.times = HeadTime(seconds)
            self.pipeline = new_pipeline(self.connection)
            if handover is not None:
                self.rfile = stream_of(self.connection, self.rfile)

        def _read_request_line(self) -> bytes:
            self.connection.settimeout(None)  # the library's is for writing
            self.head = next_head(
                self.rfile, self.connection, self.times, timeout, self.pipeline, handover
            )
            with suppress(OSError):
                self.connection.settimeout(self.server.socket_timeout)
            return b"read" if self.head else b""

        def parse_request(self) -> bool:
            """Say what the library's own would say, of a head that has been read."""
            if self.head is not None:
                take_head(self, self.head, HTTPMessage())
            return self.head is not None

        def get_environ(self) -> Any:
            environ = super().get_environ()
            body = environ["eventlet.input"]
            body.discard = partial(_discard, body.discard, self, body, timeout, seconds)
            if body.chunked_input:
                chunks = Chunks(self.rfile, turns.new_slice())
                body._chunked_read = partial(_read_chunks, self, body, chunks)
            if body.chunked_input or body.content_length:
                body.read = turns.sliced(body.read)
            environ[END_WITH_ANSWER] = partial(setattr, self, "close_connection", True)
            return environ

    return Timed


def _read_chunks(
    handler: Any,
    body: Any,
    chunks: Chunks,
    stream: Any,
    size: int | None = None,
    is_line: bool = False,
) -> bytes:
    if body.should_send_hundred_continue:
        body.send_hundred_continue_response()
        body.is_hundred_continue_response_sent = True
    try:
        return chunks.readline(size) if is_line else chunks.read(size)
    except ValueError:
        handler.close_connection = True  # before the answer goes, which says so
        raise


def _discard(
    discard: Callable[[], None], handler: Any, body: Any, timeout: Any, seconds: float
) -> None:
    """Read what is left of a body, or close the connection: it is late, or nobody wants it."""
    # ValueError: chunks that are none. The library's line would show the URL.
    with suppress(OSError, ValueError), timeout(seconds, False):
        if not hasattr(body, "is_over"):
            discard()
            return
    handler.close_connection = True


def _direct(protocol: Any, wsgi: Any, timeout: Any) -> type:
    class Direct(protocol):  # type: ignore[misc]
        head: Head | None

        def setup(self) -> None:
            super().setup()
            self.wfile = WholeWriter(self.connection)

        def get_environ(self) -> Any:
            environ = super().get_environ()
            environ[HAS_HUNG_UP] = Presence(self.connection.fd, self.request_version)
            if self.head is not None and self.head.is_websocket:
                key, behind = environ["HTTP_SEC_WEBSOCKET_KEY"], self.rfile.read(self.head.behind)
                opened = partial(self._become_websocket, environ)
                connection = self.connection
                environ[LINK] = Link(key, connection, connection.fd, behind, timeout, opened)
            return environ

        def _become_websocket(self, environ: Any) -> None:
            self.wfile.mute()
            wsgi.WSGI_LOCAL.already_handled = True  # no answer is missed
            environ["eventlet.set_idle"]()  # it does not hold up the end of the server

    return Direct
