"""Logs of runs that another process writes: read from the store, again and again, while somebody
watches.

They end like any other: with the end their own process writes, or the one that recovery writes for
it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

from app.core.entries import Entry
from app.runs.log import RunLog

Read = Callable[[str, int], list[Entry]]


class RemoteLogs:
    """Shared logs by run id, kept as long as a reader has one; thread-safe."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._logs: WeakValueDictionary[str, RunLog] = WeakValueDictionary()  # guarded by _lock

    def open(self, run_id: str) -> RunLog:
        """Return the log with all that is stored now. Raises StorageUnavailable."""
        with self._lock:
            known = self._logs.get(run_id)
        if known is not None:
            return known
        log = RunLog(self._read(run_id, 0))
        if log.end is None:
            with self._lock:
                return self._logs.setdefault(run_id, log)
        return log

    def poll(self) -> None:
        """Bring every log that is watched up to date. Raises StorageUnavailable."""
        for run_id, log in self._watched():
            log.append(self._read(run_id, log.last_seq))
            if log.end is not None:
                with self._lock:
                    self._logs.pop(run_id, None)

    def wake_due(self, now: float) -> None:
        """Wake the readers whose heartbeat is due at `now` (monotonic seconds)."""
        for _, log in self._watched():
            log.wake_due(now)

    def _watched(self) -> list[tuple[str, RunLog]]:
        with self._lock:
            return list(self._logs.items())
