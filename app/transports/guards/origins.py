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
PROBED = "/health"  # a load balancer asks by address, or without a Host; there is nothing to be had
# What a star stands for: the names before a name, and a port, which may be the scheme's own.
_STARS = (("//*.", r"//([a-z0-9_-]+\.)+"), (":*", r"(:\d+)?"))


class OriginPolicy:
    """`extra` are the origins of CORS_ORIGINS, `hosts` those of ALLOWED_HOSTS. `*` among them
    allows all; a star in one stands for names or a port."""

    def __init__(
        self, extra: tuple[str, ...], hosts: tuple[str, ...], bound_to_loopback: bool
    ) -> None:
        self._extra = frozenset(origin.lower() for origin in extra)
        self._patterns = [_pattern(origin) for origin in sorted(self._extra - {"*"})]
        self._hosts = frozenset(host.lower() for host in hosts)
        # `.name` is that name too; `*.name` and `.name` are all that end so.
        self._below = tuple({host.lstrip("*") for host in self._hosts if host[:1] in {"*", "."}})
        # Bound to loopback only loopback names are ours; elsewhere the list counts if there is one.
        self._check_host = (bound_to_loopback or bool(hosts)) and "*" not in self._hosts

    def allows_origin(self, origin: str | None, host: str) -> bool:
        """Whether a page of `origin` may use the server it calls `host`."""
        if not origin or "*" in self._extra:
            return True
        if any(re.match(pattern, origin, re.IGNORECASE) for pattern in self._patterns):
            return True
        if not _ORIGIN.match(origin):
            return False  # `null`, too: a sandboxed frame or a file
        netloc = urlsplit(origin).netloc
        return netloc.lower() == host.lower() or _hostname(netloc) in LOOPBACK

    def allows_host(self, host: str) -> bool:
        """Whether `host` is a name of ours."""
        if not self._check_host:
            return True
        name, written = _hostname(host), host.lower()
        if name in LOOPBACK or name in self._hosts or written in self._hosts:
            return True
        return any(
            one.endswith(self._below) or f".{one}" in self._hosts for one in (name, written) if one
        )

    def patterns(self) -> list[str]:
        """Return what flask-cors needs to put the same origins into its answers."""
        if "*" in self._extra:
            return ["*"]
        return [*self._patterns, LOOPBACK_ORIGIN]

    def allows(self, environ: Mapping[str, Any]) -> bool:
        """Whether a request may pass, by its Host, Origin and Fetch Metadata headers."""
        host = environ.get("HTTP_HOST", "")
        if not self.allows_host(host) and not _is_probe(environ):
            return False
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None:
            return self.allows_origin(origin, host)
        if environ.get("HTTP_SEC_FETCH_SITE") != "cross-site" or "*" in self._extra:
            return True
        return _is_link_to_a_page(environ)


def _pattern(origin: str) -> str:
    """Return the regular expression of an origin, which may have stars."""
    escaped = re.escape(origin)
    for star, meant in _STARS:
        escaped = escaped.replace(re.escape(star), meant)
    return rf"{escaped}\Z"


def _is_probe(environ: Mapping[str, Any]) -> bool:
    """Whether it is asked how the server is, and by no page."""
    return str(environ.get("PATH_INFO", "")).rstrip("/") == PROBED and "HTTP_ORIGIN" not in environ


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
