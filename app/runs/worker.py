"""This process as a worker, and its eye on the others.

Each worker (a process) holds a lock on a file of its own; the kernel lets go of it when the process
dies, however it dies. A worker whose lock is free is gone: its runs get their end, `interrupted`,
exactly once, in the transaction that also marks it as lost; whatever it may still try to append is
refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.core.broker import Stop
from app.core.run_errors import RunInterrupted
from app.core.runs import Receipt, new_id
from app.core.store import WorkerStore
from app.core.usage import CostOf, no_cost
from app.runs.ports import Calls, Clock, Runtime, WorkerLocks
from app.runs.registry import RunRegistry
from app.runs.run import Run, interrupted

log = logging.getLogger(__name__)


class Worker:
    """Registered before it starts a run; thread-safe."""

    def __init__(
        self,
        store: WorkerStore,
        locks: WorkerLocks,
        calls: Calls,
        registry: RunRegistry,
        runtime: Runtime,
        clock: Clock,
        announce: Callable[[str], None],
    ) -> None:
        """`announce` lets others reach the worker by its id."""
        self._store = store
        self._locks = locks
        self._calls = calls
        self._registry = registry
        self._runtime = runtime
        self._clock = clock
        self._announce = announce
        self._lock = threading.Lock()  # one registration at a time
        self._id = ""

    @property
    def id(self) -> str:
        """The id under which this process stores runs now; empty until it is registered."""
        return self._id

    def register(self) -> None:
        """Become a worker, or another one. Raises StorageUnavailable, OSError."""
        before, worker_id = self._id, new_id()
        self._locks.hold(worker_id)  # before it is known, or another might find it without a lock
        self._calls(self._store.register_worker, worker_id, self._clock.wall())
        self._id = worker_id
        self._announce(worker_id)
        if before:
            self._locks.let_go(before)

    def was_lost(self, worker_id: str) -> None:
        """Another worker has ended our runs: end them here too, and go on as a new worker.

        Raises StorageUnavailable, OSError.
        """
        for run in self._registry.going():
            if run.record.worker_id == worker_id:
                self._runtime.spawn(run.end_with, interrupted())
        with self._lock:
            if worker_id == self._id:  # else somebody was here before
                self.register()

    def leave(self) -> None:
        """Let the lock go: nothing of this worker's is left to end."""
        self._locks.let_go(self._id)


class Neighbours:
    """Whether other processes work on the same database: then what is limited per user is counted
    with theirs."""

    def __init__(self, always: bool = False) -> None:
        """`always`: whatever is seen of them."""
        self._always = always
        self.shared = always
        self._told: list[Callable[[bool], None]] = []

    def tell(self, told: Callable[[bool], None]) -> None:
        """Call it with what holds now, and with each change."""
        self._told.append(told)
        told(self.shared)

    def note(self, are_there: bool) -> None:
        """Note whether another process is there."""
        shared = self._always or are_there
        if shared == self.shared:
            return
        self.shared = shared
        log.info(
            "other processes work on this database: users' limits are counted with theirs"
            if shared
            else "no other process works on this database any more"
        )
        for told in self._told:
            told(shared)


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
        neighbours: Neighbours | None = None,
    ) -> None:
        self._store = store
        self._locks = locks
        self._calls = calls
        self._worker = worker
        self._clock = clock
        self._cost_of = cost_of
        self._neighbours = neighbours or Neighbours()

    def sweep(self) -> list[str]:
        """End the runs of workers that are gone; return their ids. Raises StorageUnavailable."""
        interrupted, are_there = list[str](), False
        for worker_id in self._calls(self._store.other_workers, self._worker.id):
            if self._locks.is_gone(worker_id):
                interrupted += self.take_over(worker_id)
            else:
                are_there = True
        self._neighbours.note(are_there)
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


class OwnedRuns:
    """The runs of this process, as other processes reach them. Implements `broker.Worker`."""

    def __init__(
        self, worker: Worker, registry: RunRegistry, stop: Callable[[str, str], Receipt]
    ) -> None:
        self._worker = worker
        self._registry = registry
        self._stop = stop

    @property
    def id(self) -> str:
        return self._worker.id

    def find(self, run_id: str) -> Run | None:
        return self._registry.get(run_id)

    def obey(self, command: Stop) -> Receipt:
        return self._stop(command.owner, command.run_id)
