"""What our use of eventlet stands on, and whether this process's have it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any

from app.runtimes.requests import environ_faults
from app.runtimes.tricks import missing, works

# Names, with the number of arguments they are called with; for classes `self` counts.
SWITCHING = {"switch": 0, "schedule_call_global": 2, "greenlet": None}
HUB = {
    **SWITCHING,
    "wait": 1,
    "do_poll": 1,
    "fire_timers": 1,
    "sleep_until": 0,
    "mark_as_reopened": 1,
    "running": None,
    "listeners": None,
    "poll": None,
    "READ_MASK": None,
}
POLL = {"register": 2, "unregister": 1}
PLAIN_SOCKET = {"recv": 1, "send": 1}
TLS_SOCKET = {"read": 2}
REQUEST = {"setup": 1, "_read_request_line": 1, "parse_request": 1, "get_environ": 1}
INPUT = {"discard": 1, "_chunked_read": 4, "send_hundred_continue_response": 1}
LINES = {"log_error": 2, "log_message": 2}


@dataclass(frozen=True, slots=True)
class Places:
    """The places that are reached into, as this process has them; tests hand in others."""

    hub: Any  # of this thread
    epoll_hub: Any  # its class, if the environment names no other and the system has epoll
    socket: Any
    tls_socket: Any
    wsgi: Any  # the module


@dataclass(frozen=True, slots=True)
class Tricks:
    """Which uses of private places are sound here."""

    switching: bool  # a task sleeps by a switch to the hub, and is woken by a timer of the hub's
    hub: bool  # a hub of ours
    sockets: bool  # the plain socket in a green one
    tls_sockets: bool  # the read that a TLS socket inherits
    handlers: bool  # an HTTP request handler of ours
    requests: bool  # its heads are read by us, strictly and in time
    bodies: bool  # the connection of a request's body
    header_lines: bool  # the limit of a header line's length

    @property
    def websockets(self) -> bool:
        """Whether they are ours."""
        return self.handlers and self.requests and self.sockets


def eventlet_places() -> Places:
    """Return what eventlet has."""
    from eventlet import hubs, wsgi
    from eventlet.green import socket
    from eventlet.green import ssl as green_ssl

    return Places(
        hub=hubs.get_hub(),
        epoll_hub=getattr(getattr(hubs, "epolls", None), "Hub", None),
        socket=socket.socket,
        tls_socket=getattr(green_ssl, "GreenSSLSocket", None),
        wsgi=wsgi,
    )


def find_tricks(places: Places) -> Tricks:
    """Return which tricks can be used; the log has a line for each that cannot."""

    def can(trick: str, instead: str, faults: Any) -> bool:
        return works("eventlet", trick, instead, lambda: faults(places))

    return Tricks(
        switching=can("its way to switch", "tasks sleep on its events", _switching_faults),
        hub=_is_default_hub(places) and can("its hub", "streams use its own", _hub_faults),
        sockets=can("its socket", "reads and writes use its own", _socket_faults),
        tls_sockets=can("its TLS socket", "they read by its own", _tls_faults),
        handlers=can("its server", "it prints what is not HTTP", _handler_faults),
        requests=can(
            "its request handler",
            "it reads requests by its own, lax parser and times",
            _request_faults,
        ),
        bodies=can("its request body", "one that is too late is read to its end", _body_faults),
        header_lines=can("its header limit", "its own holds", _header_faults),
    )


def _is_default_hub(places: Places) -> bool:
    """Whether there is a choice: not where the environment or the system asks for another hub."""
    return places.epoll_hub is None or type(places.hub) is places.epoll_hub


def _switching_faults(places: Places) -> Iterable[str]:
    return missing(places.hub, SWITCHING)


def _hub_faults(places: Places) -> Iterable[str]:
    if places.epoll_hub is None:
        return ["no epolls.Hub"]
    faults = missing(places.hub, HUB)
    if faults:
        return faults
    if places.hub.running:
        return ["it runs already"]
    return missing(places.hub.poll, POLL) + missing(places.hub.listeners, {"values": 0})


def _socket_faults(places: Places) -> Iterable[str]:
    with closing(places.socket()) as green:
        faults = missing(green, {"fd": None}) or missing(green.fd, PLAIN_SOCKET)
        if not faults and green.fd.gettimeout() != 0:
            faults = ["it would wait"]
        return faults


def _tls_faults(places: Places) -> Iterable[str]:
    base = places.tls_socket.__base__
    if base.__module__ != "ssl":
        return ["it inherits from something else"]
    return missing(base, TLS_SOCKET)


def _handler_faults(places: Places) -> Iterable[str]:
    if "protocol" not in inspect.signature(places.wsgi.server).parameters:
        return ["no way to hand one in"]
    return missing(places.wsgi.HttpProtocol, LINES)


def _request_faults(places: Places) -> Iterable[str]:
    wsgi = places.wsgi
    faults = missing(wsgi.HttpProtocol, REQUEST) + missing(wsgi.Input, INPUT)
    faults += missing(wsgi, {"WSGI_LOCAL": None})
    if faults:
        return faults
    with closing(places.socket()) as green:
        handler = wsgi.HttpProtocol.__new__(wsgi.HttpProtocol)
        handler.request = green
        handler.setup()
        with closing(handler.rfile), closing(handler.wfile):
            faults = missing(handler, {"connection": None}) + missing(handler.rfile, {"peek": 1})
            handler.client_address, handler.conn_state = ("", 0), []
            return faults or environ_faults(handler, HTTPMessage())


def _body_faults(places: Places) -> Iterable[str]:
    return missing(places.wsgi.Input, {"get_socket": 1})


def _header_faults(places: Places) -> Iterable[str]:
    return missing(places.wsgi, {"MAX_HEADER_LINE": None})
