"""Runs: start, find, follow, stop. Every look-up is for an owner."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from app.core.errors import NotFound, RunError, RunTimeout, StorageUnavailable, UpstreamTimeout
from app.core.messages import Message
from app.core.runs import ENDED, ProviderRequest, Receipt, RunEnd, RunRecord, Turn
from app.core.store import Immediate, Store, WorkerLost
from app.core.usage import CostOf, no_cost
from app.runs.committer import Committer
from app.runs.log import LogReader, RunLog
from app.runs.ports import Clock, Provider, RunLimits, Runtime
from app.runs.registry import LiveRuns
from app.runs.remote_logs import RemoteLogs
from app.runs.run import STOPPED, Outcome, Run, interrupted
from app.runs.store_calls import StoreCalls

log = logging.getLogger(__name__)
STOP_WAIT_S = 10.0  # a receipt waits for its end to be stored, and says so if it is not
STARTING_WAIT_S = 1.0  # from a run's being stored to its being registered: milliseconds
STARTING_LOOK_S = 0.005


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run to look at: its record and log; `live` is None for one that is not of this process."""

    record: RunRecord
    log: RunLog
    live: Run | None = None

    @classmethod
    def of(cls, run: Run) -> FoundRun:
        """Return a live run as found."""
        return cls(run.record, run.log, run)

    @property
    def status(self) -> str:
        """The status as far as the log has come."""
        end = self.log.end
        return str(end.data["status"]) if end is not None else self.record.status

    def watched(self) -> AbstractContextManager[None]:
        """Return a block during which the run has one viewer more."""
        return self.live.watched() if self.live is not None else nullcontext()


class RunService:
    """Start, find, follow and stop runs; thread-safe."""

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        worker_id: Callable[[], str],
        clock: Clock,
        limits: RunLimits,
        on_ended: Callable[[Run], None] = lambda run: None,
        on_lost: Callable[[str], None] = lambda worker_id: None,
        cost_of: CostOf = no_cost,
    ) -> None:
        self.limits = limits
        self.worker_id = worker_id
        self.store = store
        self._runtime = runtime
        self._clock = clock
        self.calls = StoreCalls(store, runtime, self._clock, self.limits.store_timeout_s)
        self.live = LiveRuns(
            self.limits.max_runs, self.limits.max_runs_per_user, self._clock.monotonic
        )
        self.remote = RemoteLogs(
            lambda run_id, after: self.calls(store.read_entries, run_id, after)
        )
        self._notify_ended = on_ended
        self._notify_lost = on_lost
        self.committer = Committer(
            store,
            runtime,
            self._clock,
            self.limits.store_timeout_s,
            self._ended,
            self._lost,
            self.calls.note,
            cost_of,
        )

    def start(
        self,
        turn: Turn,
        provider: Provider,
        make_request: Callable[[list[Message]], ProviderRequest],
        caller: str = "",
        stop_when_unwatched: bool = False,
    ) -> Run:
        """Store the turn, spawn its run, return at once.

        Raises OverCapacity, ShuttingDown, StorageUnavailable, and what the store's begin_turn
        raises.
        """
        self.live.reserve(caller)
        try:
            turn, branch = self._begin(turn)
            run = Run(
                replace(turn.run, status="running"),
                make_request(branch),
                self.committer,
                self._clock,
                self.limits.max_reply_bytes,
                caller,
            )
        except BaseException:
            self.live.give_back(caller)
            raise
        run.stop_when_unwatched = stop_when_unwatched
        if branch and branch[-1].id == turn.reply.id:
            run.base = branch[-1].content
        self.live.add(run)
        # Not before it is registered: a run may be over as soon as it is spawned.
        run.task = self._runtime.spawn(lambda: run.drive(provider.stream(run.request)))
        return run

    def _begin(self, turn: Turn) -> tuple[Turn, list[Message]]:
        """Store the turn; if this worker was taken for dead, as the new one it becomes."""
        try:
            return turn, self._store_turn(turn)
        except WorkerLost:
            self._lost(turn.run.worker_id)
        turn = replace(turn, run=replace(turn.run, worker_id=self.worker_id()))
        try:
            return turn, self._store_turn(turn)
        except WorkerLost:
            raise StorageUnavailable() from None

    def _store_turn(self, turn: Turn) -> list[Message]:
        """Store it here and now; by way of the store's thread only where that would hold up
        others."""
        branch = self.store.begin_now(turn) if isinstance(self.store, Immediate) else None
        return self.calls(self.store.begin_turn, turn) if branch is None else branch

    def _ended(self, run: Run, end: RunEnd) -> None:
        self.live.ended(run)
        log.info("run %s", end.status, extra=_figures(run, end))
        self._notify_ended(run)

    def _lost(self, worker_id: str) -> None:
        """Another worker has ended our runs: end them here too, and go on as a new worker."""
        for run in self.live.going():
            if run.record.worker_id == worker_id:
                self._runtime.spawn(run.end_with, interrupted())
        self._notify_lost(worker_id)

    def find(self, owner: str, run_id: str) -> FoundRun:
        """Return the owner's run. Raises NotFound, for another's too; StorageUnavailable."""
        run = self.live.get(run_id)
        if run is None:
            record = self.calls(self.store.find_run, owner, run_id)
            if record is None:
                raise NotFound()
            if record.ended_at is None and record.worker_id == self.worker_id():
                run = self._wait_until_registered(run_id)
            if run is None:
                return FoundRun(record, self.remote.open(run_id))
        if run.record.owner != owner:
            raise NotFound()
        return FoundRun.of(run)

    def _wait_until_registered(self, run_id: str) -> Run | None:
        deadline = self._clock.monotonic() + STARTING_WAIT_S
        while (run := self.live.get(run_id)) is None and self._clock.monotonic() < deadline:
            self._runtime.sleep(STARTING_LOOK_S)
        return run

    def follow(
        self, found: FoundRun, after: int = 0, heartbeat_s: float | None = None
    ) -> LogReader:
        """Return a cursor into the run's log, which reads nothing after `heartbeat_s` of silence.

        Raises BadCursor, LogReset.
        """
        return LogReader(
            found.log,
            after,
            self._runtime.new_waiter(),
            heartbeat_s or self.limits.heartbeat_s,
            self._clock.monotonic,
        )

    def age_s(self, found: FoundRun) -> float:
        """Return how long ago the run started, in seconds."""
        return round(max(0.0, self._clock.wall() - found.record.created_at), 1)

    def stop(self, owner: str, run_id: str) -> Receipt:
        """End the run, upstream closed and text kept; the same receipt however often.

        Raises NotFound. A run of another living process goes on, and its receipt says so.
        """
        found = self.find(owner, run_id)
        run = found.live
        if run is None:
            return _receipt(found)
        run.end_with(STOPPED)
        self._wait_for_end(run)
        return _receipt(FoundRun.of(run))

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

    def tick(self) -> None:
        """Do what time brings: heartbeats, deadlines, forgetting. Called a few times a second."""
        now = self._clock.monotonic()
        self.live.forget_old()
        self.remote.wake_due(now)
        for run in self.live.going():
            run.log.wake_due(now)
            outcome = self._due(run, now)
            if outcome is not None and not run.ending:
                self._runtime.spawn(run.end_with, outcome)

    def _due(self, run: Run, now: float) -> Outcome | None:
        error = self._overdue(run, now)
        if error is not None:
            return Outcome("failed", "error", error)
        return STOPPED if run.abandoned(now, self.limits.orphan_run_s) else None

    def _overdue(self, run: Run, now: float) -> RunError | None:
        age = now - run.started_at
        if age >= self.limits.run_timeout_s:
            return RunTimeout()
        if run.first_piece_at is None:
            late = age >= self.limits.first_delta_timeout_s
        else:
            late = now - run.waiting_since >= self.limits.delta_timeout_s
        return UpstreamTimeout() if late else None

    def details(self) -> list[dict[str, Any]]:
        """Return what an operator may see of the runs under way; nothing of what was said."""
        return [
            {
                "run_id": run.record.id,
                "owner": run.record.owner,
                "session_id": run.record.session_id,
                "provider": run.record.provider,
                "model": run.record.model,
                "seq": run.log.last_seq,
                "age_s": self.age_s(FoundRun.of(run)),
            }
            for run in self.live.going()
        ]


def _figures(run: Run, end: RunEnd) -> dict[str, Any]:
    """Return what the log line of a finished run says."""
    tokens = end.usage.output_tokens
    return {
        "run_id": run.record.id,
        "session_id": run.record.session_id,
        "provider": run.record.provider,
        "model": run.record.model,
        "finish_reason": end.finish_reason,
        "code": end.error["code"] if end.error else None,
        "error_id": end.error["error_id"] if end.error else None,
        "tokens": tokens,
        "duration_s": round(end.duration_s, 3),
        "tokens_per_s": round(tokens / end.duration_s, 1) if end.duration_s else None,
        "ttft_s": None if end.ttft_s is None else round(end.ttft_s, 3),
    }


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
