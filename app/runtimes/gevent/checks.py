"""What our use of gevent stands on, and whether this process's have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from app.runtimes.gevent.http import Tricks
from app.runtimes.requests import environ_faults
from app.runtimes.tricks import missing, works

# Names, with the number of arguments they are called with; `self` counts.
ERRORS = {"log_error": 2, "_log_error": 4}
REQUEST = {
    "read_requestline": 1,
    "read_request": 2,
    "run_application": 1,
    "finalize_headers": 1,
    "get_environ": 1,
    "_sendall": 2,
    "_connection_upgrade_requested": 1,
    "headers": None,
}
BODY = {"_discard": 1, "_chunked_read": 3, "_send_100_continue": 1, "_chunked_input_error": None}


@dataclass(frozen=True, slots=True)
class Places:
    """The places that are reached into, as this process has them; tests hand in others."""

    socket: Any
    handler: Any
    body: Any


def gevent_places() -> Places:
    """Return what gevent has."""
    from gevent import pywsgi, socket

    return Places(
        socket=socket.socket,
        handler=pywsgi.WSGIHandler,
        body=getattr(pywsgi, "Input", None),
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
