"""Whose pages may use the server: one rule for HTTP, for the websocket, and for CORS answers.

A page elsewhere must not be able to start a run on somebody's local server and spend their key; and
a name that an attacker points at 127.0.0.1 (DNS rebinding) must not make a page "elsewhere" look
like our own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LOOPBACK_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"
# RFC 6454, 6.2: scheme, host, port. Two headers joined by a comma are none.
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d+)?\Z", re.IGNORECASE)
PAGE_METHODS = frozenset({"GET", "HEAD"})


class OriginPolicy:
    """`extra` are the origins of CORS_ORIGINS; `*` among them allows all."""

    def __init__(
        self, extra: tuple[str, ...], hosts: tuple[str, ...], bound_to_loopback: bool
    ) -> None:
        self._extra = frozenset(origin.lower() for origin in extra)
        self._hosts = frozenset(host.lower() for host in hosts)
        # Bound to loopback only loopback names are ours; elsewhere the list counts if there is one.
        self._check_host = bound_to_loopback or bool(hosts)

    def allows_origin(self, origin: str | None, host: str) -> bool:
        """Whether a page of `origin` may use the server it calls `host`."""
        if not origin or "*" in self._extra or origin.lower() in self._extra:
            return True
        if not _ORIGIN.match(origin):
            return False  # `null`, too: a sandboxed frame or a file
        netloc = urlsplit(origin).netloc
        return netloc.lower() == host.lower() or _hostname(netloc) in LOOPBACK

    def allows_host(self, host: str) -> bool:
        """Whether `host` is a name of ours."""
        if not self._check_host:
            return True
        name = _hostname(host)
        return name in LOOPBACK or name in self._hosts or host.lower() in self._hosts

    def patterns(self) -> list[str]:
        """Return what flask-cors needs to put the same origins into its answers."""
        return ["*"] if "*" in self._extra else [*sorted(self._extra), LOOPBACK_ORIGIN]

    def allows(self, environ: Mapping[str, Any]) -> bool:
        """Whether a request may pass, by its Host, Origin and Fetch Metadata headers."""
        host = environ.get("HTTP_HOST", "")
        if not self.allows_host(host):
            return False
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None:
            return self.allows_origin(origin, host)
        if environ.get("HTTP_SEC_FETCH_SITE") != "cross-site" or "*" in self._extra:
            return True
        return _is_link_to_a_page(environ)


def _is_link_to_a_page(environ: Mapping[str, Any]) -> bool:
    """Following a link is not using the server: it shows the page, and stores nothing."""
    return (
        environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
        and environ.get("REQUEST_METHOD") in PAGE_METHODS
        and not str(environ.get("PATH_INFO", "")).startswith(("/api/", "/socket.io"))
    )


def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""
