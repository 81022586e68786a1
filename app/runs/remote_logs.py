"""Logs of runs that another process writes: what the broker tells of them, and what is read from
the store where the broker is silent, or has lost something, while somebody watches.

They end like any other: with the end their own process writes, or the one that recovery writes for
it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from weakref import ref

from app.core.broker import Broker
from app.core.entries import Entry
from app.core.runs import RunRecord
from app.runs.log import RunLog

Read = Callable[[str, int], list[Entry]]
SILENCE_S = 1.5  # of the owner's, which says each second where its run is


class _Followed:
    """A run that is followed, its log as long as a reader has it. Implements `Follower`."""

    def __init__(
        self, run_id: str, worker_id: str, log: RunLog, monotonic: Callable[[], float]
    ) -> None:
        self.run_id = run_id
        self.worker_id = worker_id
        self.heard_at = -math.inf
        self.viewers = 0  # guarded by the lock of all; the owner is asked while there are any
        self.leave: Callable[[], None] = _nothing
        self._log = ref(log)
        self._monotonic = monotonic
        self._lock = threading.Lock()  # who reads the store and who is told may come at once

    @property
    def log(self) -> RunLog | None:
        """The log, or None once nobody has it."""
        return self._log()

    @property
    def last_seq(self) -> int:
        log = self._log()
        return log.last_seq if log is not None else 0

    def take(self, entries: Sequence[Entry], last_seq: int) -> None:
        """Add what is new; after a gap nothing, and then the owner counts as silent."""
        log = self._log()
        if log is not None and self.add(log, entries) >= last_seq:
            self.heard_at = self._monotonic()

    def lose(self) -> None:
        self.heard_at = -math.inf

    def add(self, log: RunLog, entries: Sequence[Entry]) -> int:
        """Add what is new, unless there is a gap before it; return the last that the log has."""
        with self._lock:
            new = [entry for entry in entries if entry.seq > log.last_seq]
            if new and new[0].seq == log.last_seq + 1 and log.end is None:
                log.append(new)
            return log.last_seq


class RemoteLogs:
    """Shared logs by run id, kept as long as a reader has one; thread-safe."""

    def __init__(self, read: Read, broker: Broker, monotonic: Callable[[], float]) -> None:
        self._read = read
        self._broker = broker
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._followed: dict[str, _Followed] = {}  # guarded by _lock

    def open(self, record: RunRecord) -> RunLog:
        """Return the log with all that is stored now. Raises StorageUnavailable."""
        known = self._known(record)
        if known is not None:
            self._catch_up(record.id)
            return known
        log = RunLog(self._read(record.id, 0))
        if log.end is not None:
            return log
        followed = _Followed(record.id, record.worker_id, log, self._monotonic)
        with self._lock:
            shared = self._followed.get(record.id)
            other = shared.log if shared is not None else None
            if other is not None:
                return other  # somebody else was first
            self._followed[record.id] = followed
        return log

    def _known(self, record: RunRecord) -> RunLog | None:
        """Return the log that is followed already; of a run that has another owner by now, as one
        that waited, its old one is followed no longer."""
        with self._lock:
            followed = self._followed.get(record.id)
            log = followed.log if followed is not None else None
            if followed is None or log is None or followed.worker_id == record.worker_id:
                return log
        followed.leave()
        followed.worker_id, followed.heard_at = record.worker_id, -math.inf
        if followed.viewers:
            followed.leave = self._broker.follow(followed)
        return log

    @contextmanager
    def watched(self, run_id: str) -> Iterator[None]:
        """Follow the run while the block runs, by what its owner tells; a run whose log was opened
        and is not at its end."""
        with self._lock:
            followed = self._followed.get(run_id)
            is_first = followed is not None and not followed.viewers
            if followed is not None:
                followed.viewers += 1
        if followed is None:
            yield
            return
        if is_first:
            followed.leave = self._broker.follow(followed)
        try:
            yield
        finally:
            with self._lock:
                followed.viewers -= 1
            if not followed.viewers:
                followed.leave()
                followed.leave, followed.heard_at = _nothing, -math.inf

    def poll(self) -> None:
        """Bring each log that is watched, and whose owner is silent, up to date; follow no longer
        what nobody watches. Raises StorageUnavailable."""
        self._leave_unwatched()
        for followed in self._all():
            self._catch_up(followed.run_id)
        self._leave_unwatched()

    def _catch_up(self, run_id: str) -> None:
        """Read what a log lacks, unless its owner was heard lately."""
        with self._lock:
            followed = self._followed.get(run_id)
        log = followed.log if followed is not None else None
        if followed is None or log is None or log.end is not None:
            return
        if self._monotonic() - followed.heard_at >= SILENCE_S:
            followed.add(log, self._read(run_id, log.last_seq))

    def _leave_unwatched(self) -> None:
        with self._lock:
            over = []
            for run_id, followed in list(self._followed.items()):
                log = followed.log
                if log is None or log.end is not None:
                    over.append(self._followed.pop(run_id))
        for followed in over:
            followed.leave()

    def wake_due(self, now: float) -> None:
        """Wake the readers whose heartbeat is due at `now` (monotonic seconds)."""
        for followed in self._all():
            log = followed.log
            if log is not None:
                log.wake_due(now)

    def _all(self) -> list[_Followed]:
        with self._lock:
            return list(self._followed.values())


def _nothing() -> None:
    """There is nothing to leave."""
