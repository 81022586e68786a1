"""What our use of gevent and simple-websocket stands on, and whether this process's have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from app.runtimes.gevent.http import Tricks, WebSocketInput, WholeSends
from app.runtimes.requests import environ_faults
from app.runtimes.tricks import missing, works

# Names, with the number of arguments they are called with; `self` counts.
ERRORS = {"log_error": 2, "_log_error": 4}
REQUEST = {
    "read_requestline": 1,
    "read_request": 2,
    "run_application": 1,
    "finalize_headers": 1,
    "_connection_upgrade_requested": 1,
    "headers": None,
}
BODY = {"_discard": 1, "_chunked_read": 3, "_send_100_continue": 1, "_chunked_input_error": None}
UPGRADE = {
    "SERVER_SOFTWARE": "gevent",
    "HTTP_HOST": "localhost",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_UPGRADE": "websocket",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",  # RFC 6455's example
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


@dataclass(frozen=True, slots=True)
class Places:
    """The places that are reached into, as this process has them; tests hand in others."""

    socket: Any
    handler: Any
    body: Any
    websocket: Any


def gevent_places() -> Places:
    """Return what gevent and simple-websocket have."""
    import simple_websocket
    from gevent import pywsgi, socket

    return Places(
        socket=socket.socket,
        handler=pywsgi.WSGIHandler,
        body=getattr(pywsgi, "Input", None),
        websocket=simple_websocket.Server,
    )


def find_tricks(places: Places) -> Tricks:
    """Return which tricks can be used; the log has a line for each that cannot."""

    def can(trick: str, instead: str, faults: Callable[[Places], Iterable[str]]) -> bool:
        return works("gevent", trick, instead, lambda: faults(places))

    can("its error handler", "it prints them itself", _error_faults)
    return Tricks(
        requests=can(
            "its request handler",
            "it reads requests by its own, lax parser, without time limits",
            _request_faults,
        ),
        bodies=can("its request body", "one that is too late is read to its end", _body_faults),
        websockets=works(
            "simple-websocket",
            "its socket",
            "a frame that does not go at once ends its connection",
            lambda: _websocket_faults(places),
        ),
    )


def _error_faults(places: Places) -> Iterable[str]:
    return missing(places.handler, ERRORS)


def _request_faults(places: Places) -> Iterable[str]:
    faults = missing(places.handler, REQUEST)
    if faults:
        return faults
    with closing(places.socket()) as connection:
        handler = places.handler(connection, ("", 0), None)
        with closing(handler.rfile):
            faults = missing(handler.rfile, {"peek": 1})
            faults += missing(handler.socket, {"_sock": None, "settimeout": 1})
            return faults or environ_faults(handler, type(handler.headers)())


def _body_faults(places: Places) -> Iterable[str]:
    faults = missing(places.body, BODY)
    return faults or missing(places.body(None, None), {"rfile": None, "socket": None})


def _websocket_faults(places: Places) -> Iterable[str]:
    environ = {**UPGRADE, "wsgi.input": WebSocketInput(_Connection())}
    found = places.websocket(environ, thread_class=_Unstarted)
    return [] if isinstance(found.sock, WholeSends) else ["it takes another socket"]


class _Connection:
    """Stands for a connection to which everything can be sent."""

    def sendall(self, data: bytes) -> None:
        """Drop it."""

    def dup(self) -> _Connection:
        return self


class _Unstarted:
    """Stands for a thread, and does nothing."""

    def __init__(self, target: Callable[[], object]) -> None:
        self.name = "probe"

    def start(self) -> None:
        """There is nothing to read."""
