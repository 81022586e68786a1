"""Logs of runs that another process writes: what the broker tells of them, and what is read from
the store, again and again, while somebody watches.

They end like any other: with the end their own process writes, or the one that recovery writes for
it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary, ref

from app.core.broker import Broker
from app.core.entries import Entry
from app.runs.log import RunLog

Read = Callable[[str, int], list[Entry]]


class RemoteLogs:
    """Shared logs by run id, kept as long as a reader has one; thread-safe."""

    def __init__(self, read: Read, broker: Broker) -> None:
        self._read = read
        self._broker = broker
        self._lock = threading.Lock()
        self._logs: WeakValueDictionary[str, RunLog] = WeakValueDictionary()  # guarded by _lock
        self._leave: dict[str, Callable[[], None]] = {}  # ends following; guarded by _lock

    def open(self, run_id: str) -> RunLog:
        """Return the log with all that is stored now. Raises StorageUnavailable."""
        with self._lock:
            known = self._logs.get(run_id)
        if known is not None:
            return known
        log = RunLog(self._read(run_id, 0))
        if log.end is not None:
            return log
        with self._lock:
            shared = self._logs.setdefault(run_id, log)
            if shared is log and run_id not in self._leave:
                self._leave[run_id] = self._broker.follow(run_id, self._taker(run_id))
        return shared

    def _taker(self, run_id: str) -> Callable[[Sequence[Entry]], None]:
        remote = ref(self)

        def take(entries: Sequence[Entry]) -> None:
            logs = remote()
            if logs is not None:
                logs._take(run_id, entries)

        return take

    def _take(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Add what is new; after a gap nothing, since the store is asked soon."""
        with self._lock:
            log = self._logs.get(run_id)
            if log is not None:
                new = [entry for entry in entries if entry.seq > log.last_seq]
                if new and new[0].seq == log.last_seq + 1:
                    log.append(new)

    def poll(self) -> None:
        """Bring every log that is watched up to date. Raises StorageUnavailable."""
        for run_id, log in self._watched():
            if log.end is None:
                self._take(run_id, self._read(run_id, log.last_seq))
        self._leave_unwatched()

    def _leave_unwatched(self) -> None:
        with self._lock:
            for run_id in list(self._leave):
                log = self._logs.get(run_id)
                if log is None or log.end is not None:
                    self._logs.pop(run_id, None)
                    self._leave.pop(run_id)()

    def wake_due(self, now: float) -> None:
        """Wake the readers whose heartbeat is due at `now` (monotonic seconds)."""
        for _, log in self._watched():
            log.wake_due(now)

    def _watched(self) -> list[tuple[str, RunLog]]:
        with self._lock:
            return list(self._logs.items())
