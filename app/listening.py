"""The socket that the server listens on."""

from __future__ import annotations

import errno
import socket

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
