"""Windows in the database that the processes share."""

from __future__ import annotations

from collections.abc import Callable

from app.core.errors import StorageUnavailable
from app.rates.windows import CannotCount, Hit

CountHit = Callable[[str, int, int], Hit]  # as Windows.hit; raises StorageUnavailable


class StoredWindows:
    """A store that can count hits, in one statement."""

    def __init__(self, count: CountHit) -> None:
        self._count = count

    def hit(self, key: str, most: int, window_s: int) -> Hit:
        try:
            return self._count(key, most, window_s)
        except StorageUnavailable as error:
            raise CannotCount("the database does not answer") from error

    def close(self) -> None:
        """The store's connections are its own."""
