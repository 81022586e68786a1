"""A provider's model that keeps failing is left out for a while; the provider's other models are
not."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.core.run_errors import (
    RunError,
    UpstreamAuth,
    UpstreamCredit,
    UpstreamError,
    UpstreamProxy,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)

MOST_MODELS = 256  # a provider: their names come from clients
LONGEST_NAME = 200  # longer names that begin alike share a breaker
# What says something of its server. A request that it refused, or a reply that is cut or cannot be
# read, is as likely to be of that request alone.
OF_HEALTH = (
    UpstreamAuth,
    UpstreamCredit,
    UpstreamError,
    UpstreamProxy,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
FORBIDDEN = 403  # some models, or words, may be forbidden to a key that is good


def says_ill(error: RunError) -> bool:
    """Whether a failure says something of its server's health."""
    forbidden = error.said is not None and error.said.status == FORBIDDEN
    return isinstance(error, OF_HEALTH) and not (isinstance(error, UpstreamAuth) and forbidden)


class Breaker:
    """The record of one model, shared by all its runs; thread-safe. Times are in seconds."""

    def __init__(self, failures: int, left_out_s: float, monotonic: Callable[[], float]) -> None:
        self._most = failures
        self._left_out_s = left_out_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failed = 0  # guarded by _lock; runs that failed, one after the other
        self._out_until = 0.0  # guarded by _lock; counts once there are enough of them

    @property
    def is_out(self) -> bool:
        """Whether a claim would be refused now."""
        with self._lock:
            return self._failed >= self._most and self._monotonic() < self._out_until

    def claim(self) -> bool:
        """Whether the model may be asked. Once its time is over, one run gets a trial; the
        others wait for its outcome, and for no longer than `left_out_s`: it may never come."""
        with self._lock:
            if self._failed < self._most:
                return True
            now = self._monotonic()
            if now < self._out_until:
                return False
            self._out_until = now + self._left_out_s
            return True

    def failed(self) -> None:
        """Note that it failed a run."""
        with self._lock:
            self._failed += 1
            self._out_until = self._monotonic() + self._left_out_s

    def answered(self) -> None:
        """Note a first piece: it is in again, and out at its next failure if it was out."""
        with self._lock:
            self._failed = min(self._failed, self._most - 1)

    def succeeded(self) -> None:
        """Note that it brought a reply to its end."""
        with self._lock:
            self._failed = 0


class Breakers:
    """The breakers of one provider's models, at most MOST_MODELS: the least lately used is
    forgotten; thread-safe."""

    def __init__(self, new_breaker: Callable[[], Breaker]) -> None:
        self._new_breaker = new_breaker
        self._lock = threading.Lock()
        self._of: dict[str, Breaker] = {}  # guarded by _lock; the least lately used first

    def of(self, model: str) -> Breaker:
        """Return the breaker of that model."""
        model = model[:LONGEST_NAME]
        with self._lock:
            breaker = self._of.pop(model, None) or self._new_breaker()
            self._of[model] = breaker
            if len(self._of) > MOST_MODELS:
                del self._of[next(iter(self._of))]
            return breaker
