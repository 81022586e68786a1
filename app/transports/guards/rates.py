"""How often: the same buckets for every route and both transports, per subject or address.

Flask-Limiter keeps the buckets of one process, app/rates those that several share; they are hit
here and not by its decorators, because a run counts only once its request was understood, and
because sockets have no routes.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, get_args

import limits

from app.chats.request import Principal
from app.core.errors import RateLimited
from app.rates.windows import Windows

Kind = Literal["stream", "chat", "read"]
IPV6_PREFIX = 64  # one customer's network: each of its addresses is the same caller


def caller_of(principal: Principal, environ: dict[str, Any]) -> str:
    """Return whom limits count: the subject of a token, or the address of somebody without one."""
    if principal.expires_at is not None:
        return principal.id
    return address_of(environ)


def address_of(environ: Mapping[str, Any]) -> str:
    """Return the address of who sent a request, as limits count it."""
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


class Window(NamedTuple):
    """What is left of a bucket after a hit, and when the oldest of what is counted leaves it."""

    kind: str
    limit: int
    window_s: int
    remaining: int
    reset_at: float
    has_room: bool = True  # for what was to be counted

    def check(self) -> None:
        """Raise RateLimited, with when to come back, where there was no room."""
        if not self.has_room:
            raise RateLimited(retry_after_s=self.reset_s)

    @property
    def reset_s(self) -> int:
        """Whole seconds until something is given back."""
        return min(self.window_s, max(1, math.ceil(self.reset_at - time.time())))

    def headers(self) -> dict[str, str]:
        """Return it as Flask-Limiter says it, and as draft-ietf-httpapi-ratelimit-headers does."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.reset_at)),
            "RateLimit-Policy": f'"{self.kind}";q={self.limit};w={self.window_s}',
            "RateLimit": f'"{self.kind}";r={self.remaining};t={self.reset_s}',
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as an ack has it."""
        return {
            "policy": self.kind,
            "limit": self.limit,
            "window_s": self.window_s,
            "remaining": self.remaining,
            "reset_s": self.reset_s,
        }


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

    def __init__(self, windows: Windows, rates: Rates) -> None:
        self.windows = windows
        written = {kind: getattr(rates, f"rate_limit_{kind}") for kind in get_args(Kind)}
        items = {kind: limits.parse(rate) for kind, rate in written.items() if rate != "off"}
        self._bounds = {kind: (item.amount, item.get_expiry()) for kind, item in items.items()}

    def count_in(self, windows: Windows) -> None:
        """Count in these from now on."""
        self.windows = windows

    def hit(self, kind: Kind, caller: str) -> Window | None:
        """Count one more of its kind for the caller, if there is room; return how the bucket is
        then, None where it is off."""
        bounds = self._bounds.get(kind)
        if bounds is None:
            return None
        most, window_s = bounds
        has_room, since, used = self.windows.hit(f"{kind}/{caller}", most, window_s)
        return Window(kind, most, window_s, max(0, most - used), since + window_s, has_room)


def admission(count: Callable[[Kind], None], kind: Kind) -> Callable[[bool], None]:
    """Return what a start asks first: it counts as one of its kind, or as a read where it joins a
    run."""
    return lambda joins: count("read" if joins else kind)
