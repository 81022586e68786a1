"""Calls of the store from tasks: never longer than its timeout, and with a memory of whether it
works.

The store's thread takes one call after another. One that waits for a lock holds up those behind it,
so a call that has waited its whole time in the queue is refused there, and never done behind its
caller's back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from app.core.errors import StorageUnavailable
from app.core.store import Store
from app.runs.ports import Clock, Runtime

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


class StoreCalls:
    """`calls(store.method, *args)`; thread-safe."""

    def __init__(self, store: Store, runtime: Runtime, clock: Clock, timeout_s: float) -> None:
        self._store = store
        self._runtime = runtime
        self._clock = clock
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._failing_since: float | None = None  # guarded by _lock

    def __call__(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the method returns. Raises StorageUnavailable within `timeout_s`."""
        deadline = self._clock.monotonic() + self._timeout_s
        try:
            result: R = self._runtime.run_blocking(self._in_time, deadline, method, args, kwargs)
        except StorageUnavailable:
            self.note(works=False)
            raise
        return result

    def _in_time(
        self, deadline: float, method: Callable[..., R], args: tuple[object, ...], kwargs: object
    ) -> R:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise StorageUnavailable()
        self._store.set_patience(left)
        return method(*args, **kwargs)  # type: ignore[arg-type]

    def note(self, works: bool) -> None:
        """Remember whether the store works; a change is logged."""
        with self._lock:
            was = self._failing_since
            if works:
                self._failing_since = None
            elif was is None:
                self._failing_since = self._clock.monotonic()
        if works and was is not None:
            log.warning("the store works again")
        elif not works and was is None:
            log.error("the store fails")

    @property
    def failing(self) -> bool:
        """Whether the last call failed."""
        with self._lock:
            return self._failing_since is not None

    def probe(self) -> None:
        """Find out whether a store that failed works again: a read that does is no proof."""
        if self.failing:
            self(self._store.probe)
            self.note(works=True)
