"""Windows that fail open: while the shared ones are away, each process counts by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from app.rates.windows import CannotCount, Hit, Windows

log = logging.getLogger(__name__)


class Fallback:
    """The shared windows; the process's own for `again_s` after these did not answer."""

    def __init__(
        self,
        shared: Windows,
        own: Windows,
        name: str,
        again_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._own = own
        self._name = name
        self._again_s = again_s
        self._monotonic = monotonic
        self._again_at: float | None = None  # None: they answer

    def hit(self, key: str, most: int, window_s: int) -> Hit:
        was_away = self._again_at is not None
        if self._again_at is not None:
            now = self._monotonic()
            if now < self._again_at:
                return self._own.hit(key, most, window_s)
            self._again_at = now + self._again_s  # one tries; the others need not wait with it
        try:
            found = self._shared.hit(key, most, window_s)
        except CannotCount as error:
            self._lost(error)
            return self._own.hit(key, most, window_s)
        if was_away:
            self._again_at = None
            log.warning("rates are counted in %s again", self._name)
        return found

    def _lost(self, error: CannotCount) -> None:
        if self._again_at is None:
            log.warning(
                "rates cannot be counted in %s (%s): each process counts by itself meanwhile",
                self._name,
                error,
            )
        self._again_at = self._monotonic() + self._again_s

    def close(self) -> None:
        self._shared.close()
