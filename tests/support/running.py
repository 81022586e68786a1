"""Runs in a test: what wiring builds, with a worker whose id is known."""

from __future__ import annotations

from app.broker.local import LocalBroker
from app.core.store import Store
from app.metrics.counts import Metrics
from app.runs.ports import Clock, RunLimits, Runtime
from app.stores.no_locks import NoLocks
from app.wiring import RunParts, make_runs
from tests.support.options import RunOptions

WORKER = "worker"


def running(
    store: Store,
    runtime: Runtime,
    clock: Clock = Clock(),
    limits: RunLimits = RunOptions(),
    broker: LocalBroker | None = None,
) -> RunParts:
    """Return the parts; its worker is the one of the samples, and registered where that is
    asked for."""
    parts = make_runs(store, NoLocks(), runtime, clock, limits, Metrics(), broker=broker)
    parts.worker._id = WORKER
    return parts
