"""What the transports count, for /api/status."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class ViewerCounts:
    """How many viewers are watching, by transport; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {"sse": 0, "socket": 0}  # guarded by _lock

    @contextmanager
    def watching(self, transport: str) -> Iterator[None]:
        """Count one viewer while the block runs."""
        with self._lock:
            self._counts[transport] += 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[transport] -= 1

    def counts(self) -> dict[str, int]:
        """Return the counts."""
        with self._lock:
            return dict(self._counts)


class ErrorCounts:
    """How often each code was answered since the start; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()  # guarded by _lock

    def note(self, code: str) -> None:
        """Count one."""
        with self._lock:
            self._counts[code] += 1

    def counts(self) -> dict[str, int]:
        """Return the counts by code."""
        with self._lock:
            return dict(self._counts)
