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
from app.runs.worker import Recovery, Worker
from app.stores.calls import StoreCalls


class RunParts(NamedTuple):
    """What runs are made of; a run is started by `runs`."""

    calls: StoreCalls
    locks: WorkerLocks
    registry: RunRegistry
    worker: Worker
    recovery: Recovery
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
) -> RunParts:
    """Build what runs need, from the store up. The worker has still to be registered."""
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
    )

    def read(run_id: str, after: int) -> list[Entry]:
        return calls(store.read_entries, run_id, after)

    remote = RemoteLogs(read, broker, clock.monotonic)
    runs = RunService(
        store, calls, worker, registry, committer, remote, broker, runtime, clock, limits, metrics
    )
    recovery = Recovery(store, locks, calls, worker, clock, cost_of)
    return RunParts(calls, locks, registry, worker, recovery, broker, committer, remote, runs)
