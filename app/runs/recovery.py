"""Runs that died with their process: found, ended as `interrupted`, exactly once.

Each worker (a process) holds a lock on a file of its own; the kernel lets go of it when the process
dies, however it dies. A worker whose lock is free is gone: its runs get their end, in the
transaction that also marks it as lost, and whatever it may still try to append is refused.
"""

from __future__ import annotations

import logging

from app.core.run_errors import RunInterrupted
from app.core.store import WorkerStore
from app.core.usage import CostOf, no_cost
from app.runs.ports import Calls, Clock, WorkerLocks
from app.runs.worker import Worker

log = logging.getLogger(__name__)


class Recovery:
    """This process's eye on the other workers."""

    def __init__(
        self,
        store: WorkerStore,
        locks: WorkerLocks,
        calls: Calls,
        worker: Worker,
        clock: Clock,
        cost_of: CostOf = no_cost,
    ) -> None:
        self._store = store
        self._locks = locks
        self._calls = calls
        self._worker = worker
        self._clock = clock
        self._cost_of = cost_of

    def sweep(self) -> list[str]:
        """End the runs of workers that are gone; return their ids. Raises StorageUnavailable."""
        interrupted: list[str] = []
        for worker_id in self._calls(self._store.other_workers, self._worker.id):
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
        self.take_over(self._worker.id)
        self._worker.leave()
