"""The port: how it is opened, what a person is told of that, and what is said where it is not."""

from __future__ import annotations

import errno
import socket
import sys
from typing import NamedTuple

from app import __version__
from app.settings.sections import AuthSettings, ServerSettings

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


class Serving(NamedTuple):
    """What the banner is made of."""

    server: ServerSettings
    store: str  # its address, without what is secret
    auth: AuthSettings


def banner(serving: Serving, listener: socket.socket, model: str, processes: str) -> str:
    """Return what a person wants to know at the start."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return "\n".join(
        (
            f"Tandem {__version__} on http://{shown}:{port}",
            f"  model   {model}",
            f"  store   {serving.store}",
            f"  auth    {_auth_in_words(serving)}",
            f"  mode    {serving.server.async_mode}, {processes}",
        )
    )


def _auth_in_words(serving: Serving) -> str:
    if serving.auth.mode != "off":
        return serving.auth.mode
    return (
        "off: only this machine can reach it"
        if serving.server.on_loopback
        else "OFF, for everybody"
    )


def refuse(reason: str) -> int:
    """Say why the server cannot start; return the exit code."""
    print(f"Tandem cannot start. {reason}", file=sys.stderr)
    return 2


def explain(error: OSError, host: str, port: int) -> str:
    """Return what to do about a start that the system refused."""
    if error.errno == errno.EADDRINUSE:
        airplay = " (macOS keeps 5000 for AirPlay Receiver)" if port == 5000 else ""
        advice = f"PORT={port + 1} make run"
        return f"Port {port} is in use{airplay}. Stop what uses it, or try: {advice}"
    return f"{error.strerror or error}: {error.filename or host}"


SETTINGS_ARE_IN = "All settings are in README.md and .env.example."
