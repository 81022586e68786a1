"""How often: the same buckets for every route and both transports, per subject or address.

Flask-Limiter keeps the buckets; they are hit here and not by its decorators, because a run counts
only once its request was understood, and because sockets have no routes.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol, get_args

import limits
from flask_limiter import Limiter

from app.chats.request import Principal
from app.core.errors import RateLimited

Kind = Literal["stream", "chat", "read"]
IPV6_PREFIX = 64  # one customer's network: each of its addresses is the same caller


def caller_of(principal: Principal, environ: dict[str, Any]) -> str:
    """Return whom limits count: the subject of a token, or the address of somebody without one."""
    if principal.expires_at is not None:
        return principal.id
    address = str(environ.get("REMOTE_ADDR", ""))
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address}"
    if parsed.version == 6:
        if parsed.ipv4_mapped:  # how a socket that listens on :: sees IPv4: all are in one /64
            return f"address:{parsed.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False)}"
    return f"address:{parsed}"


class Rates(Protocol):
    """How often, each like `30 per minute`, or off."""

    @property
    def rate_limit_stream(self) -> str: ...

    @property
    def rate_limit_chat(self) -> str: ...

    @property
    def rate_limit_read(self) -> str: ...


class RateLimits:
    """The three buckets of each caller."""

    def __init__(self, limiter: Limiter, rates: Rates) -> None:
        self._limiter = limiter
        written = {kind: getattr(rates, f"rate_limit_{kind}") for kind in get_args(Kind)}
        self._items = {
            kind: limits.parse(rate) if rate != "off" else None for kind, rate in written.items()
        }

    def check(self, kind: Kind, caller: str) -> None:
        """Count one more of its kind for the caller. Raises RateLimited with when to come back."""
        item = self._items[kind]
        if item is None or self._limiter.limiter.hit(item, kind, caller):
            return
        reset = self._limiter.limiter.get_window_stats(item, kind, caller).reset_time
        raise RateLimited(retry_after_s=max(1, math.ceil(reset - time.time())))

    def admission(self, kind: Kind, caller: str) -> Callable[[bool], None]:
        """Return what a start asks first: it counts as one of its kind, or as a read where it joins
        a run."""
        return lambda joins: self.check("read" if joins else kind, caller)
