"""Windows in Redis, for processes anywhere."""

from __future__ import annotations

from limits.errors import StorageError
from limits.storage import RedisStorage

from app.rates.windows import CannotCount, Hit

PREFIX = "tandem"  # of the keys
PATIENCE_S = 0.25  # for Redis: whoever asks is about to start a reply


class RedisWindows:
    """Those of `limits`: a key is the list of its times. Connects with the first hit; sockets are
    the runtime's, so who waits is a task."""

    def __init__(self, url: str, group: str, patience_s: float = PATIENCE_S) -> None:
        """`group` names those who count together."""
        self._storage = RedisStorage(
            url,
            key_prefix=f"{PREFIX}:{group}",
            wrap_exceptions=True,
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
        )

    def hit(self, key: str, most: int, window_s: int) -> Hit:
        try:
            has_room = self._storage.acquire_entry(key, most, window_s)
            return has_room, *self._storage.get_moving_window(key, most, window_s)
        except StorageError as error:
            raise CannotCount(str(error.storage_error)) from error

    def close(self) -> None:
        self._storage.storage.close()
