"""Workers as recovery knows them: processes on one database, here in one process."""

from __future__ import annotations

import os

import psycopg

from app.broker.local import LocalBroker
from app.core.entries import Entry
from app.metrics.counts import Metrics
from app.runs.run import Run
from app.runtimes.threads import ThreadRuntime
from app.stores.postgres.locks import PostgresLocks, Silence
from app.stores.postgres.store import PostgresStore
from app.stores.sqlite.locks import FileLocks
from app.stores.sqlite.store import SqliteStore
from app.wiring import make_runs
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.options import RunOptions
from tests.support.samples import provider_request, turn_of
from tests.support.scripted import ScriptedProvider


class DyingFileLocks(FileLocks):
    """Dies as kill -9 lets one die: the kernel closes the files, and nothing else happens."""

    def die(self) -> None:
        """Die."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()


class DyingPostgresLocks(PostgresLocks):
    """Knows at once who is gone, where others know it after two seconds."""

    def __init__(self, url: str) -> None:
        super().__init__(url, ThreadRuntime(), Silence(free_s=0.0, settled_s=0.0))
        self._address = url

    def is_gone(self, worker_id: str) -> bool:
        """Whether it is gone now."""
        self._beat()
        return super().is_gone(worker_id)

    def die(self) -> None:
        """Die; return when the database knows."""
        self._held.clear()
        if self._connection is None:
            return
        pid = self._connection.info.backend_pid
        self._connection.close()
        self._connection = None
        alive = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        with psycopg.connect(self._address, autocommit=True) as connection:
            while connection.execute(alive, (pid,)).fetchone():
                pass


class Worker:
    """One process: its store, its locks, its runs; registered. Its provider waits to be driven."""

    def __init__(
        self,
        where: str,
        clock: HandClock,
        broker: LocalBroker | None = None,
        max_runs_per_user: int = 2000,
    ) -> None:
        self.runtime = ManualRuntime(clock)
        self.scripted = ScriptedProvider()
        self.store: SqliteStore | PostgresStore
        self.locks: DyingFileLocks | DyingPostgresLocks
        if where.startswith("postgresql://"):
            self.store, self.locks = PostgresStore(where), DyingPostgresLocks(where)
        else:
            self.store = SqliteStore(where, busy_timeout_s=5)
            self.locks = DyingFileLocks(f"{where}.workers")
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
        """Die, with its store as it is."""
        self.locks.die()

    def close(self) -> None:
        """Let all files and connections go."""
        self.die()
        self.store.close()
