"""Runs that died with their process: found, ended as `interrupted`, exactly once.

Each worker (a process) holds a lock on a file of its own; the kernel lets go of it when the process
dies, however it dies. A worker whose lock is free is gone: its runs get their end, in the
transaction that also marks it as lost, and whatever it may still try to append is refused.
"""

from __future__ import annotations

import logging
import threading

from app.core.errors import RunInterrupted
from app.core.runs import new_id
from app.core.store import WorkerStore
from app.core.usage import CostOf, no_cost
from app.runs.ports import Clock, WorkerLocks
from app.runs.store_calls import StoreCalls

log = logging.getLogger(__name__)


class Recovery:
    """This process's identity as a worker, and its eye on the others."""

    def __init__(
        self,
        store: WorkerStore,
        locks: WorkerLocks,
        calls: StoreCalls,
        clock: Clock,
        cost_of: CostOf = no_cost,
    ) -> None:
        self._store = store
        self._locks = locks
        self._calls = calls
        self._clock = clock
        self._cost_of = cost_of
        self.worker_id = ""
        self._lock = threading.Lock()  # one registration at a time

    def register(self, lost: str | None = None) -> None:
        """Become a (new) worker, unless the one that was lost is not us any more.

        Raises StorageUnavailable, OSError.
        """
        with self._lock:
            if lost is None or lost == self.worker_id:
                self._register()

    def _register(self) -> None:
        before, worker_id = self.worker_id, new_id()
        self._locks.hold(worker_id)  # before it is known, or another might find it without a lock
        self._calls(self._store.register_worker, worker_id, self._clock.wall())
        self.worker_id = worker_id
        if before:
            self._locks.let_go(before)

    def sweep(self) -> list[str]:
        """End the runs of workers that are gone; return their ids. Raises StorageUnavailable."""
        interrupted: list[str] = []
        for worker_id in self._calls(self._store.other_workers, self.worker_id):
            if self._locks.is_gone(worker_id):
                interrupted += self.take_over(worker_id)
        return interrupted

    def take_over(self, worker_id: str) -> list[str]:
        """End that worker's runs and refuse its appends from now on."""
        error = RunInterrupted().end_data()
        now = self._clock.wall()
        found = self._calls(self._store.take_over, worker_id, error, now, self._cost_of)
        if found:
            extra = {"runs": len(found), "error_id": error["error_id"]}
            log.warning("a worker is gone; its runs are interrupted", extra=extra)
        return found

    def retire(self) -> None:
        """Leave in order: nothing of this worker's is left to end. Raises StorageUnavailable."""
        self.take_over(self.worker_id)
        self._locks.let_go(self.worker_id)
