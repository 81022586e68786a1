"""gevent's HTTP request handler, with limits for how long a client may take.

Made from the library's class, which the runtime hands in. It also hands websockets their socket:
simple-websocket 1.1 calls `send` and takes it for `sendall`. A frame that the socket takes only a
part of would end in the middle; the client would hang up.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.runtimes.server import HAS_HUNG_UP, NOT_HTTP, HeadTime, has_hung_up, log


@dataclass(frozen=True, slots=True)
class Tricks:
    """Which uses of private places are sound here."""

    requests: bool  # what a request handler of ours does about time
    bodies: bool  # a body that is not read further
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
    handler: Any, timeout: Any, killed: type[BaseException], times: Times, tricks: Tricks
) -> type:
    """Return gevent's WSGIHandler with our log lines and, as far as the tricks can be used, with
    times; `timeout` and `killed` are gevent's."""
    ours = _quiet(handler, killed, tricks.websockets)
    if tricks.requests:
        ours = _timed(ours, timeout, times)
    return _discarding(ours, timeout, times.head) if tricks.bodies else ours


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
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.head = HeadTime(times.head)

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
            if not _is_websocket(self.environ):
                self.environ[HAS_HUNG_UP] = partial(has_hung_up, self.socket._sock)
                self.socket.settimeout(times.stall)
            try:
                super().run_application()
            finally:
                self.socket.settimeout(None)

    return Timed


def _discarding(handler: Any, timeout: Any, seconds: float) -> type:
    class Discarding(handler):  # type: ignore[misc]
        def run_application(self) -> None:
            try:
                super().run_application()
            finally:
                self._discard_in_time()

        def _discard_in_time(self) -> None:
            body = self.wsgi_input
            with suppress(OSError), timeout(seconds, False):
                body._discard()
                if not body._chunked_input_error:
                    return
            self.close_connection = True
            body._chunked_input_error = True  # the library is about to discard it again

    return Discarding
