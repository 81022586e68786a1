"""gevent's HTTP request handler, with a strict parser, and limits for how long a client may take.

Made from the library's class, which the runtime hands in. It also hands websockets their socket:
simple-websocket 1.1 calls `send` and takes it for `sendall`. A frame that the socket takes only a
part of would end in the middle; the client would hang up.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.runtimes.chunks import BadChunks, Chunks
from app.runtimes.requests import Head, next_head, take_head
from app.runtimes.server import HAS_HUNG_UP, NOT_HTTP, HeadTime, Presence, log

MAX_SHOWN = 1000  # the library refuses a longer line; ours has been checked, and nothing reads it


@dataclass(frozen=True, slots=True)
class Tricks:
    """Which uses of private places are sound here."""

    requests: bool  # heads are read by us, strictly and in time
    bodies: bool  # chunks read by us; a body that is not read further
    websockets: bool  # whole sends where simple-websocket sends


@dataclass(frozen=True, slots=True)
class Times:
    """How long a client may take, in seconds."""

    head: float  # over a request's head, and over a body that nobody reads
    stall: float  # over reading what is written


class WholeSends:
    """A socket whose `send` sends all, one frame at a time."""

    def __init__(self, connection: Any) -> None:
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

    def __init__(self, connection: Any) -> None:
        self.raw = self
        self._sock = WholeSends(connection)


def request_handler(
    handler: Any,
    body: Any,
    timeout: Any,
    killed: type[BaseException],
    times: Times,
    tricks: Tricks,
) -> type:
    """Return gevent's WSGIHandler with our log lines and, as far as the tricks can be used, with
    times; `body`, `timeout` and `killed` are gevent's."""
    ours = _quiet(handler, killed, tricks.websockets)
    if tricks.requests:
        ours = _timed(ours, timeout, times)
    return _discarding(ours, body, timeout, times.head) if tricks.bodies else ours


def _is_websocket(environ: Mapping[str, Any]) -> bool:
    return str(environ.get("HTTP_UPGRADE", "")).lower() == "websocket"


def _quiet(handler: Any, killed: type[BaseException], websockets: bool) -> type:
    class Quiet(handler):  # type: ignore[misc]
        def get_environ(self) -> Any:
            environ = super().get_environ()
            if websockets and _is_websocket(environ):
                environ["wsgi.input"] = WebSocketInput(self.socket)
            return environ

        def log_error(self, msg: str, *args: Any) -> None:
            log.info(NOT_HTTP)

        def _log_error(self, kind: Any, error: Any, traceback: Any) -> None:
            # The library's way leads past our handlers, which take secrets out.
            if not issubclass(kind, killed):
                log.error("a request failed", exc_info=(kind, error, traceback))

    return Quiet


def _timed(handler: Any, timeout: Any, times: Times) -> type:
    class Timed(handler):  # type: ignore[misc]
        head: Head | None = None

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.times = HeadTime(times.head)

        def read_requestline(self) -> str:
            self.head = next_head(self.rfile, self.socket, self.times, timeout)
            return self.head.line[:MAX_SHOWN] if self.head else ""

        def read_request(self, raw_requestline: str) -> bool:
            """Say what the library's own would say, of a head that has been read."""
            if self.head is not None:
                take_head(self, self.head, type(handler.headers)())
            return self.head is not None

        def _connection_upgrade_requested(self) -> bool:
            return self.head is not None and self.head.is_websocket

        def finalize_headers(self) -> None:
            super().finalize_headers()
            if self.command == "HEAD":
                self.response_use_chunked = False  # else the end of no chunks is written
            if self.close_connection and self.request_version == "HTTP/1.1":
                self.response_headers.append((b"Connection", b"close"))

        def run_application(self) -> None:
            if not _is_websocket(self.environ):
                self.environ[HAS_HUNG_UP] = Presence(self.socket._sock, self.request_version)
                self.socket.settimeout(times.stall)
            try:
                super().run_application()
            finally:
                self.socket.settimeout(None)
                if self.head is not None and self.head.is_websocket:
                    self.close_connection = True  # after frames no request can follow

    return Timed


def _discarding(handler: Any, body_class: Any, timeout: Any, seconds: float) -> type:
    class Body(body_class):  # type: ignore[misc]
        _chunked_input_error: bool
        chunks: Chunks
        handler: Any

        def _chunked_read(self, length: int | None = None, use_readline: bool = False) -> bytes:
            self._send_100_continue()
            try:
                return self.chunks.readline(length) if use_readline else self.chunks.read(length)
            except (BadChunks, OSError):
                self._chunked_input_error = True
                self.handler.close_connection = True  # before the answer goes, which says so
                raise

    class Discarding(handler):  # type: ignore[misc]
        wsgi_input: Any

        def get_environ(self) -> Any:
            environ = super().get_environ()
            given = self.wsgi_input
            if given.chunked_input:
                body = Body(given.rfile, None, given.socket, True)
                body.chunks, body.handler = Chunks(given.rfile), self
                self.wsgi_input = environ["wsgi.input"] = body
            return environ

        def run_application(self) -> None:
            try:
                super().run_application()
            finally:
                self._discard_in_time()

        def _discard_in_time(self) -> None:
            body = self.wsgi_input
            # A client that still waits for its 100 may send the body or not: nobody knows.
            if body.socket is None:
                with suppress(OSError, ValueError), timeout(seconds, False):
                    body._discard()
                    if not body._chunked_input_error:
                        return
            self.close_connection = True
            body._chunked_input_error = True  # the library is about to discard it again

    return Discarding
