"""What a runtime serves, and the socket that it listens on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any, Protocol

KILL_WAIT_S = 1.0  # a killed task closes a socket; one that takes longer is left to itself
MAX_CONNECTIONS = 10_000  # eventlet's own default, 1024, hangs the next connection without a word


class Server(Protocol):
    """What `serve` is given: the application, and what to do before the process may end."""

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The application."""

    head_timeout_s: float  # for the head of a request, and for a body that nobody reads
    viewer_stall_s: float  # how long a write may find nobody reading

    def started(self) -> None:
        """Called once connections are accepted."""

    def stopping(self) -> None:
        """Called in a task of its own on SIGTERM or SIGINT; the process ends when it returns."""


BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises OSError (EADDRINUSE for a port that is taken)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it; without it a small event waits for the last one's
    # acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def is_address_in_use(error: OSError) -> bool:
    """Whether a `listen` failed because something else has the port."""
    return error.errno == errno.EADDRINUSE
