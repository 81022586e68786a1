"""Runs: start, find, follow, stop. Every look-up is for an owner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from app.core.broker import Broker
from app.core.errors import ChatError, NotFound, StorageUnavailable
from app.core.messages import Message
from app.core.run_errors import RunError
from app.core.runs import (
    ProviderRequest,
    RunRecord,
    Turn,
)
from app.core.store import Immediate, Store, WorkerLost
from app.core.tools import Answered, Reply
from app.runs.committer import Committer
from app.runs.log import LogReader, RunLog
from app.runs.ports import (
    Calls,
    Clock,
    Provider,
    RunLimits,
    RunMetrics,
    Runtime,
    Waiter,
    own_patience_s,
)
from app.runs.registry import FoundRun, RunRegistry, age_s
from app.runs.remote_logs import RemoteLogs
from app.runs.run import STOPPED, Outcome, Run
from app.runs.stops import Stops, due
from app.runs.worker import Neighbours, OwnedRuns, Worker

logger = logging.getLogger(__name__)
STARTING_WAIT_S = 1.0  # from a run's being stored to its being registered: milliseconds
STARTING_LOOK_S = 0.005


class RunService:
    """Start, find, follow and stop runs; thread-safe."""

    def __init__(
        self,
        store: Store,
        calls: Calls,
        worker: Worker,
        registry: RunRegistry,
        committer: Committer,
        remote: RemoteLogs,
        broker: Broker,
        runtime: Runtime,
        clock: Clock,
        limits: RunLimits,
        metrics: RunMetrics,
        neighbours: Neighbours,
    ) -> None:
        self.limits = limits
        self._neighbours = neighbours
        self._store = store
        self._begin_now = store.begin_now if isinstance(store, Immediate) else _not_now
        self._calls = calls
        self._worker = worker
        self._registry = registry
        self._committer = committer
        self._remote = remote
        self._broker = broker
        self._runtime = runtime
        self._clock = clock
        stops = Stops(
            self.find, store, calls, worker, registry, broker, runtime, clock, metrics, neighbours
        )
        self.stop, self.stop_all, self.end_expired = stops.stop, stops.stop_all, stops.end_expired
        broker.serve(OwnedRuns(worker, registry, self.stop))

    @property
    def worker_id(self) -> str:
        """The id that a run which starts now is stored under."""
        return self._worker.id

    def start(
        self,
        turn: Turn,
        provider: Provider,
        make_request: Callable[[list[Message]], ProviderRequest],
        stop_when_unwatched: bool = False,
    ) -> Run:
        """Store the turn, spawn its run, return at once.

        Raises OverCapacity, ShuttingDown, StorageUnavailable, and what the store's begin_turn
        raises.
        """
        caller = turn.run.caller
        self._registry.reserve(caller)
        if self._neighbours.shared:
            turn = replace(turn, most_running=self.limits.max_runs_per_user)
        try:
            turn, branch = self._begin(turn)
        except BaseException:
            self._registry.release(caller)
            raise
        record = replace(turn.run, status="running")
        try:
            run = self._make_run(record, make_request(branch))
        except Exception as error:
            return self._fail(record, error)
        run.stop_when_unwatched = stop_when_unwatched
        if branch and branch[-1].id == turn.reply.id:
            run.base = branch[-1].content
        return self._launch(run, provider)

    def _make_run(
        self, record: RunRecord, request: ProviderRequest, log: RunLog | None = None
    ) -> Run:
        return Run(
            record,
            request,
            self._committer,
            self._clock,
            self.limits.max_reply_bytes,
            record.caller,
            self.limits.max_piece_bytes,
            log,
        )

    def _fail(self, record: RunRecord, error: Exception, log: RunLog | None = None) -> Run:
        """End a run that the store has, and whose model cannot be asked."""
        if not isinstance(error, ChatError):
            logger.error("run %s cannot ask its model", record.id, exc_info=error)
        run = self._make_run(record, ProviderRequest((), record.model), log)
        self._registry.add(run)
        run.end_with(Outcome("failed", "error", RunError.of(error)))
        return run

    def _launch(self, run: Run, provider: Provider) -> Run:
        own_s, ours_s = own_patience_s(provider), self.limits.first_delta_timeout_s
        run.first_delta_timeout_s = ours_s if own_s is None else own_s
        self._registry.add(run)
        # Not before it is registered: a run may be over as soon as it is spawned.
        run.task = self._runtime.spawn(lambda: run.drive(provider.stream(run.request)))
        return run

    def _begin(self, turn: Turn) -> tuple[Turn, list[Message]]:
        """Store the turn; if this worker was taken for dead, as the new one it becomes."""
        try:
            return turn, self._store_turn(turn)
        except WorkerLost:
            self._worker.was_lost(turn.run.worker_id)
        turn = replace(turn, run=replace(turn.run, worker_id=self._worker.id))
        try:
            return turn, self._store_turn(turn)
        except WorkerLost:
            raise StorageUnavailable() from None

    def _store_turn(self, turn: Turn) -> list[Message]:
        """Store it here and now; by way of the store's thread only where that would hold up
        others."""
        branch = self._begin_now(turn)
        return self._calls(self._store.begin_turn, turn) if branch is None else branch

    def answer(
        self,
        owner: str,
        run_id: str,
        replies: Sequence[Reply],
        go_on: Callable[[Answered], tuple[Provider, ProviderRequest]],
        caller: str = "",
    ) -> FoundRun:
        """Take answers to what a run waits for, each once; with the last one the run goes on.

        Raises NotFound, OverCapacity, ShuttingDown, StorageUnavailable.
        """
        self._registry.reserve(caller)
        try:
            done = self._take_answers(owner, run_id, replies, caller)
            if done.entries:
                self._broker.publish_entries(run_id, done.entries)
            if done.branch is None:
                self._registry.release(caller)
                return self.find(owner, run_id)
        except BaseException:
            self._registry.release(caller)
            raise
        record, run_log = done.record, RunLog(done.log)
        try:
            provider, request = go_on(done)
        except Exception as error:
            return FoundRun.of(self._fail(record, error, run_log))
        return FoundRun.of(self._launch(self._make_run(record, request, run_log), provider))

    def _take_answers(
        self, owner: str, run_id: str, replies: Sequence[Reply], caller: str
    ) -> Answered:
        answer, now = self._store.answer, self._clock.wall()
        most = self.limits.max_runs_per_user if self._neighbours.shared else 0
        try:
            return self._calls(answer, owner, run_id, replies, self._worker.id, now, caller, most)
        except WorkerLost as lost:
            self._worker.was_lost(str(lost))
        try:
            return self._calls(answer, owner, run_id, replies, self._worker.id, now, caller, most)
        except WorkerLost:
            raise StorageUnavailable() from None

    def find(self, owner: str, run_id: str) -> FoundRun:
        """Return the owner's run. Raises NotFound, for another's too; StorageUnavailable."""
        run = self._registry.get(run_id)
        if run is None:
            record = self._calls(self._store.find_run, owner, run_id)
            if record is None:
                raise NotFound()
            if record.ended_at is None and record.worker_id == self._worker.id:
                run = self._wait_until_registered(run_id)
            if run is None:
                watching = partial(self._remote.watched, run_id)
                return FoundRun(record, self._remote.open(record), watching=watching)
        if run.record.owner != owner:
            raise NotFound()
        return FoundRun.of(run)

    def _wait_until_registered(self, run_id: str) -> Run | None:
        deadline = self._clock.monotonic() + STARTING_WAIT_S
        while (run := self._registry.get(run_id)) is None and self._clock.monotonic() < deadline:
            self._runtime.sleep(STARTING_LOOK_S)
        return run

    def follow(
        self,
        found: FoundRun,
        after: int = 0,
        heartbeat_s: float | None = None,
        waiter: Waiter | None = None,
    ) -> LogReader:
        """Return a cursor into the run's log, which reads nothing after `heartbeat_s` of silence,
        and wakes `waiter` or one of its own.

        Raises BadCursor, LogReset.
        """
        return LogReader(
            found.log,
            after,
            waiter or self._runtime.new_waiter(),
            heartbeat_s or self.limits.heartbeat_s,
            self._clock.monotonic,
        )

    def age_s(self, found: FoundRun) -> float:
        """Return how long ago the run started, in seconds."""
        return age_s(found.record, self._clock.wall())

    def forget(self, owner: str, session_id: str | None = None) -> None:
        """Forget the runs of a session that was deleted, or of all of an owner's; end what began
        in it meanwhile."""
        for run in self._registry.forget(owner, session_id):
            self._runtime.spawn(run.end_with, STOPPED)

    def tick(self) -> None:
        """Do what time brings: heartbeats, deadlines, forgetting. Called a few times a second."""
        now = self._clock.monotonic()
        self._registry.forget_old()
        self._remote.wake_due(now)
        for run in self._registry.going():
            run.log.wake_due(now)
            outcome = due(run, now, self.limits)
            if outcome is not None and not run.ending:
                self._runtime.spawn(run.end_with, outcome)

    def counts(self) -> dict[str, int]:
        """Return how many are going, starting, and have ended since the start."""
        return self._registry.counts()

    def details(self) -> list[dict[str, Any]]:
        """Return what an operator may see of the runs under way; nothing of what was said."""
        return self._registry.details(self._clock.wall())


def _not_now(turn: Turn) -> None:
    """Leave it to the store's thread."""
