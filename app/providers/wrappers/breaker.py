"""Providers that keep failing are left out for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Breaker:
    """The record of one provider, shared by all its runs; thread-safe. Times are in seconds."""

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
        """Whether the provider may be asked. Once its time is over, one run gets a trial; the
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
