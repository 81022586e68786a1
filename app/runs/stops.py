"""Runs that are ended from outside: stopped, over because of the time, or waiting for what nobody
brings; in any process."""

from __future__ import annotations

from collections.abc import Callable

from app.core.broker import Broker, News, Stop
from app.core.errors import NotFound
from app.core.run_errors import RunError, RunTimeout, UpstreamTimeout
from app.core.runs import ENDED, WAITS, Receipt, RunEnd, RunRecord
from app.core.store import RunStore
from app.core.tools import Why
from app.runs.log import LogReader
from app.runs.ports import Calls, Clock, RunLimits, RunMetrics, Runtime
from app.runs.registry import KEEP_ENDED_S, FoundRun, RunRegistry
from app.runs.run import STOPPED, Outcome, Run
from app.runs.worker import Neighbours, Worker

STOP_WAIT_S = 10.0  # a receipt waits for its end to be stored, and says so if it is not
EXPIRED_AT_ONCE = 50
FINISH_GRACE_S = 5.0  # from the finish reason to the stream's end: the usage comes in between


def due(run: Run, now: float, limits: RunLimits) -> Outcome | None:
    """Return how the run has to end by now; None if it may go on."""
    finished_at = run.finished_at
    if finished_at is not None and now - finished_at >= FINISH_GRACE_S:
        return run.completed()
    error = None if finished_at is not None else _overdue(run, now, limits)
    if error is not None:
        return Outcome("failed", "error", error)
    return STOPPED if run.abandoned(now, limits.orphan_run_s) else None


def _overdue(run: Run, now: float, limits: RunLimits) -> RunError | None:
    if now - run.started_at >= limits.run_timeout_s:
        return RunTimeout()
    if not run.has_answered and now - run.asked_at < run.first_delta_timeout_s:
        return None
    silent = now - run.last_sign_at >= limits.delta_timeout_s
    return UpstreamTimeout() if silent else None


class Stops:
    """Ends runs, whoever's they are; thread-safe."""

    def __init__(
        self,
        find: Callable[[str, str], FoundRun],
        store: RunStore,
        calls: Calls,
        worker: Worker,
        registry: RunRegistry,
        broker: Broker,
        runtime: Runtime,
        clock: Clock,
        metrics: RunMetrics,
        neighbours: Neighbours,
    ) -> None:
        """`find` is the service's."""
        self._find = find
        self._store = store
        self._calls = calls
        self._worker = worker
        self._registry = registry
        self._broker = broker
        self._runtime = runtime
        self._clock = clock
        self._metrics = metrics
        self._neighbours = neighbours

    def stop(self, owner: str, run_id: str) -> Receipt:
        """End the run, upstream closed and text kept; the same receipt however often.

        Raises NotFound. A run of a process that cannot be reached goes on, and its receipt says so.
        """
        found = self._find(owner, run_id)
        run = found.live
        if found.status == WAITS:
            self.end_waiting(found.record, "stopped")
            return _receipt(self._find(owner, run_id))
        if run is None:
            return self._stop_elsewhere(found)
        run.end_with(STOPPED)
        self._wait_for_end(run)
        if run.record.waits:  # it began to, just now
            return self.stop(owner, run_id)
        return _receipt(FoundRun.of(run))

    def _stop_elsewhere(self, found: FoundRun) -> Receipt:
        record = found.record
        if found.status in ENDED:
            # Its owner still knows how it was stopped.
            ended_at = record.ended_at or self._clock.wall()
            if not self._neighbours.shared or self._clock.wall() - ended_at > KEEP_ENDED_S:
                return _receipt(found)
        answer = self._broker.command(record.worker_id, Stop(record.owner, record.id))
        return answer or _receipt(self._find(record.owner, record.id))

    def _wait_for_end(self, run: Run) -> None:
        reader = LogReader(
            run.log,
            run.log.last_seq,
            self._runtime.new_waiter(),
            STOP_WAIT_S,
            self._clock.monotonic,
        )
        while not reader.done:
            if not reader.read():
                return

    def stop_all(self, owner: str, session_id: str | None = None) -> None:
        """Stop what runs in the session, or in all of the owner's, in other processes too where
        these can be reached."""
        for run in self._registry.going_of(owner, session_id):
            self.stop(owner, run.record.id)
        silent = {self._worker.id}  # those that would not answer: each is waited for once
        shared, going_of = self._neighbours.shared, self._store.going_of
        for record in self._calls(going_of, owner, session_id) if shared else ():
            if record.worker_id not in silent and not self._stopped(owner, record.id):
                silent.add(record.worker_id)

    def _stopped(self, owner: str, run_id: str) -> bool:
        try:
            return self.stop(owner, run_id).status in ENDED
        except NotFound:
            return True  # deleted meanwhile

    def end_waiting(self, record: RunRecord, why: Why) -> None:
        """End a run that waits, if it still does; tell who would hear of its end."""
        now = self._clock.wall()
        entries = self._calls(self._store.end_waiting, record.owner, record.id, why, now)
        if not entries:
            return
        self._broker.publish_entries(record.id, entries)
        seq = entries[-1].seq
        data = {"run_id": record.id, "session_id": record.session_id, "seq": seq}
        news = News("run_ended", {**data, "status": entries[-1].data["status"]})
        self._broker.publish_news(record.owner, record.session_id, news)
        self._metrics.run_ended(record.ended(RunEnd.from_json(entries[-1].data), seq, now))

    def end_expired(self) -> None:
        """End the runs that have waited for too long. Raises StorageUnavailable."""
        for record in self._calls(self._store.expired, self._clock.wall(), EXPIRED_AT_ONCE):
            self.end_waiting(record, "denied")


def _receipt(found: FoundRun) -> Receipt:
    record, run = found.record, found.live
    ended = record.status in ENDED
    not_ours = False if run is None and not ended else None
    return Receipt(
        run_id=record.id,
        session_id=record.session_id,
        status=record.status if ended else "running",
        seq=found.log.last_seq,
        upstream_closed=run.upstream_closed if run else not_ours,
        stopped_in_ms=run.stopped_in_ms if run else 0.0,
        usage=record.usage,
    )
