"""One lock for each key in use, so that equal requests that come at once are looked at one by
one."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class KeyLocks:
    """Locks made when first wanted and forgotten with their last user; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Hashable, tuple[threading.Lock, int]] = {}  # guarded by _lock

    @contextmanager
    def holding(self, key: Hashable) -> Iterator[None]:
        """Hold the key's lock while the block runs."""
        with self._lock:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._locks.pop(key)
                if users > 1:
                    self._locks[key] = (lock, users - 1)

    def __len__(self) -> int:
        with self._lock:
            return len(self._locks)
