"""gevent's HTTP request handler, with a strict parser, and limits for how long a client may take.

Made from the library's class, which the runtime hands in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.runtimes.chunks import BadChunks, Chunks
from app.runtimes.handover import Handover, stream_of
from app.runtimes.requests import Head, next_head, take_head
from app.runtimes.server import END_WITH_ANSWER, HAS_HUNG_UP, NOT_HTTP, HeadTime, Presence, log
from app.runtimes.turns import Pipeline, Turns
from app.runtimes.websockets.websocket import LINK, Link

MAX_SHOWN = 1000  # the library refuses a longer line; ours has been checked, and nothing reads it


@dataclass(frozen=True, slots=True)
class Tricks:
    """Which uses of private places are sound here."""

    requests: bool  # heads are read by us, strictly and in time
    bodies: bool  # chunks read by us; a body that is not read further

    @property
    def websockets(self) -> bool:
        """Whether they are ours."""
        return self.requests


@dataclass(frozen=True, slots=True)
class Times:
    """How long a client may take, in seconds."""

    head: float  # over a request's head, and over a body that nobody reads
    stall: float  # over reading what is written


def request_handler(
    handler: Any,
    body: Any,
    timeout: Any,
    killed: type[BaseException],
    times: Times,
    tricks: Tricks,
    turns: Turns,
    new_pipeline: Callable[[Any], Pipeline],
    handover: Handover | None,
) -> type:
    """Return gevent's WSGIHandler with our log lines and, as far as the tricks can be used, with
    times and turns; `body`, `timeout` and `killed` are gevent's, `new_pipeline` is given a
    connection, and `handover` is None where there is nobody to hand connections to."""
    ours = _quiet(handler, killed)
    if tricks.requests:
        ours = _timed(ours, timeout, times, new_pipeline, handover)
        ours = _ending(_linked(ours, timeout), times.stall)
    return _discarding(ours, body, timeout, times.head, turns) if tricks.bodies else ours


def _quiet(handler: Any, killed: type[BaseException]) -> type:
    class Quiet(handler):  # type: ignore[misc]
        def log_error(self, msg: str, *args: Any) -> None:
            log.info(NOT_HTTP)

        def _log_error(self, kind: Any, error: Any, traceback: Any) -> None:
            # The library's way leads past our handlers, which take secrets out.
            if not issubclass(kind, killed):
                log.error("a request failed", exc_info=(kind, error, traceback))

    return Quiet


def _nothing(data: bytes) -> None:
    """Drop it."""


def _has_no_length(handler: Any) -> bool:
    is_named = any(name.lower() == b"content-length" for name, _ in handler.response_headers)
    return not is_named and handler.code >= 200 and handler.code not in {204, 304}


def _timed(
    handler: Any,
    timeout: Any,
    times: Times,
    new_pipeline: Callable[[Any], Pipeline],
    handover: Handover | None,
) -> type:
    class Timed(handler):  # type: ignore[misc]
        head: Head | None = None
        rfile: Any

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.times = HeadTime(times.head)
            self.pipeline = new_pipeline(self.socket)
            if handover is not None:
                self.rfile = stream_of(self.socket, self.rfile)

        def read_requestline(self) -> str:
            self.head = next_head(
                self.rfile, self.socket, self.times, timeout, self.pipeline, handover
            )
            return self.head.line[:MAX_SHOWN] if self.head else ""

        def read_request(self, raw_requestline: str) -> bool:
            """Say what the library's own would say, of a head that has been read."""
            if self.head is not None:
                take_head(self, self.head, type(handler.headers)())
            return self.head is not None

    return Timed


def _linked(handler: Any, timeout: Any) -> type:
    """Return the handler with what requests know of their connection, which may become a
    websocket."""

    class Linked(handler):  # type: ignore[misc]
        head: Head | None
        rfile: Any

        def get_environ(self) -> Any:
            environ = super().get_environ()
            environ[HAS_HUNG_UP] = Presence(self.socket._sock, self.request_version)
            environ[END_WITH_ANSWER] = partial(setattr, self, "close_connection", True)
            if self.head is not None and self.head.is_websocket:
                key, behind = environ["HTTP_SEC_WEBSOCKET_KEY"], self.rfile.read(self.head.behind)
                plain, opened = self.socket._sock, self._become_websocket
                environ[LINK] = Link(key, self.socket, plain, behind, timeout, opened)
            return environ

        def _become_websocket(self) -> None:
            self._sendall = _nothing  # what follows would be no frame

        def _connection_upgrade_requested(self) -> bool:
            return False  # its body is as long as it says: none

    return Linked


def _ending(handler: Any, stall_s: float) -> type:
    """Return the handler with answers that end as they say, to clients that read."""

    class Ending(handler):  # type: ignore[misc]
        response_headers: list[tuple[bytes, bytes]]

        def finalize_headers(self) -> None:
            super().finalize_headers()
            if self.command == "HEAD":
                self.response_use_chunked = False  # else the end of no chunks is written
            elif not self.response_use_chunked and _has_no_length(self):
                self.close_connection = True  # which is where the body ends (RFC 9112, 6.3)
            if self.close_connection:
                self._say_close()

        def _say_close(self) -> None:
            given = self.response_headers
            kept = [header for header in given if header[0].lower() != b"connection"]
            self.response_headers = [*kept, (b"Connection", b"close")]

        def run_application(self) -> None:
            self.socket.settimeout(stall_s)
            try:
                super().run_application()
            finally:
                self.socket.settimeout(None)

    return Ending


def _discarding(handler: Any, body_class: Any, timeout: Any, seconds: float, turns: Turns) -> type:
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
            if given.chunked_input or given.content_length:
                is_chunked, length = given.chunked_input, given.content_length
                body = Body(given.rfile, length, given.socket, is_chunked)
                body.chunks, body.handler = Chunks(given.rfile, turns.new_slice()), self
                body.read = turns.sliced(body.read)
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
