"""What is done once a second: what other workers left, ends that could not be stored, what is
old."""

from __future__ import annotations

from typing import Protocol

from app.core.store import Store
from app.runs.committer import Committer
from app.runs.ports import Calls, Clock
from app.runs.remote_logs import RemoteLogs
from app.runs.worker import Recovery

EVERY_S = 30.0  # between looks for what is old: nothing waits for it
FOLD_AT_ONCE = 20  # runs a look folds at most, so that no call of the store is long
DAY_S = 86400.0


class Keeping(Protocol):
    """How long what is kept."""

    @property
    def replay_ttl_s(self) -> float: ...

    @property
    def retention_days(self) -> float:
        """0: for ever."""


class Housekeeper:
    """One for a process; several on one database harm nothing."""

    def __init__(
        self,
        store: Store,
        calls: Calls,
        committer: Committer,
        recovery: Recovery,
        remote: RemoteLogs,
        clock: Clock,
        keeping: Keeping,
    ) -> None:
        self._store = store
        self._calls = calls
        self._committer = committer
        self._recovery = recovery
        self._remote = remote
        self._clock = clock
        self._keeping = keeping
        self._next_look = 0.0

    def work(self) -> None:
        """Do all that is due. Raises StorageUnavailable; what is left is done the next time."""
        self._calls.probe()
        self._committer.store_late_ends()
        self._recovery.sweep()
        self._remote.poll()
        if self._clock.monotonic() >= self._next_look:
            self._next_look = self._clock.monotonic() + EVERY_S
            self._tidy()

    def _tidy(self) -> None:
        now, keeping = self._clock.wall(), self._keeping
        store, calls = self._store, self._calls
        while calls(store.fold, now - keeping.replay_ttl_s, FOLD_AT_ONCE) == FOLD_AT_ONCE:
            pass
        days = keeping.retention_days
        calls(store.delete_old, now - days * DAY_S if days else None, now - keeping.replay_ttl_s)
