"""What runs are made of."""

from __future__ import annotations

from typing import NamedTuple

from app.broker.local import LocalBroker
from app.core.entries import Entry
from app.core.store import Store
from app.core.usage import CostOf, no_cost
from app.runs.committer import Committer
from app.runs.ports import Clock, RunLimits, RunMetrics
from app.runs.ports import Runtime as RunRuntime
from app.runs.ports import WorkerLocks
from app.runs.registry import RunRegistry
from app.runs.remote_logs import RemoteLogs
from app.runs.service import RunService
from app.runs.worker import Neighbours, Recovery, Worker
from app.stores.calls import StoreCalls


class RunParts(NamedTuple):
    """What runs are made of; a run is started by `runs`."""

    store: Store
    calls: StoreCalls
    locks: WorkerLocks
    registry: RunRegistry
    worker: Worker
    recovery: Recovery
    neighbours: Neighbours
    broker: LocalBroker
    committer: Committer
    remote: RemoteLogs
    runs: RunService


def make_runs(
    store: Store,
    locks: WorkerLocks,
    runtime: RunRuntime,
    clock: Clock,
    limits: RunLimits,
    metrics: RunMetrics,
    cost_of: CostOf = no_cost,
    broker: LocalBroker | None = None,
    shared: bool = False,
) -> RunParts:
    """Build what runs need, from the store up. The worker has still to be registered. `shared`:
    other processes are to work on the same database."""
    calls = StoreCalls(store, runtime, clock, limits.store_timeout_s)
    registry = RunRegistry(limits.max_runs, limits.max_runs_per_user, clock.monotonic)
    broker = broker or LocalBroker(runtime.new_waiter, clock.monotonic)
    worker = Worker(store, locks, calls, registry, runtime, clock, broker.be)
    committer = Committer(
        store,
        calls,
        worker,
        registry,
        broker,
        metrics,
        runtime,
        clock,
        limits.store_timeout_s,
        cost_of,
        limits.commit_gather_ms / 1000,
    )

    def read(run_id: str, after: int) -> list[Entry]:
        return calls(store.read_entries, run_id, after)

    remote = RemoteLogs(read, broker, clock.monotonic)
    neighbours = Neighbours(always=shared)
    runs = RunService(
        store,
        calls,
        worker,
        registry,
        committer,
        remote,
        broker,
        runtime,
        clock,
        limits,
        metrics,
        neighbours,
    )
    recovery = Recovery(store, locks, calls, worker, clock, cost_of, neighbours)
    return RunParts(
        store, calls, locks, registry, worker, recovery, neighbours, broker, committer, remote, runs
    )
