"""Workers as recovery knows them: processes on one database, here in one process."""

from __future__ import annotations

import os

from app.broker.local import LocalBroker
from app.core.entries import Entry
from app.metrics.counts import Metrics
from app.runs.run import Run
from app.stores.sqlite.locks import FileLocks
from app.stores.sqlite.store import SqliteStore
from app.wiring import make_runs
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.options import RunOptions
from tests.support.samples import provider_request, turn_of
from tests.support.scripted import ScriptedProvider


class Worker:
    """One process: its store, its locks, its runs; registered. Its provider waits to be driven."""

    def __init__(
        self,
        path: str,
        clock: HandClock,
        broker: LocalBroker | None = None,
        max_runs_per_user: int = 2000,
    ) -> None:
        self.runtime = ManualRuntime(clock)
        self.scripted = ScriptedProvider()
        self.store = SqliteStore(path, busy_timeout_s=5)
        self.locks = FileLocks(f"{path}.workers")
        limits = RunOptions(max_runs_per_user=max_runs_per_user, store_timeout_s=1, heartbeat_s=5)
        parts = make_runs(
            self.store, self.locks, self.runtime, clock.clock, limits, Metrics(), broker=broker
        )
        self.runs = parts.runs
        self.worker = parts.worker
        self.recovery = parts.recovery
        self.neighbours = parts.neighbours
        self.broker = parts.broker
        self.worker.register()
        self.id = self.worker.id

    def start(self, run_id: str = "run-1", session_id: str = "", caller: str = "") -> Run:
        """Start a run in a session of its own."""
        whose = {"worker_id": self.worker.id, "caller": caller}
        turn = turn_of(run_id, session_id=session_id or f"of {run_id}", **whose)
        return self.runs.start(turn, self.scripted, lambda _: provider_request())

    def seen(self, run_id: str, after: int = 0) -> list[Entry]:
        """Return what a viewer of the run has been shown to its end."""
        reader = self.runs.follow(self.runs.find("ann", run_id), after)
        found = []
        while not reader.done:
            found += reader.read()
        return found

    def die(self) -> None:
        """Die as kill -9 lets one die: the kernel closes the files, and nothing else happens."""
        for descriptor in self.locks._held.values():
            os.close(descriptor)
        self.locks._held.clear()

    def close(self) -> None:
        """Let all files go."""
        self.die()
        self.store.close()
