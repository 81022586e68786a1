"""This process as a worker: the id that its runs have, and what is done when it is taken for
dead."""

from __future__ import annotations

import threading

from app.core.runs import new_id
from app.core.store import WorkerStore
from app.runs.ports import Calls, Clock, Runtime, WorkerLocks
from app.runs.registry import RunRegistry
from app.runs.run import interrupted


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
    ) -> None:
        self._store = store
        self._locks = locks
        self._calls = calls
        self._registry = registry
        self._runtime = runtime
        self._clock = clock
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
