"""Windows in the memory of one process."""

from __future__ import annotations

from collections.abc import Callable

from limits.storage import MovingWindowSupport

from app.rates.windows import Hit


class MemoryWindows:
    """Those of Flask-Limiter, which has its storage only once it has its app: the first hit asks
    for it."""

    def __init__(self, find: Callable[[], MovingWindowSupport]) -> None:
        self._find = find
        self._storage: MovingWindowSupport | None = None

    def hit(self, key: str, most: int, window_s: int) -> Hit:
        storage = self._storage
        if storage is None:
            storage = self._storage = self._find()
        # What the strategy's `hit` and `get_window_stats` do, in less than the one of them takes.
        has_room = storage.acquire_entry(key, most, window_s)
        return has_room, *storage.get_moving_window(key, most, window_s)

    def close(self) -> None:
        """Nothing to let go."""
