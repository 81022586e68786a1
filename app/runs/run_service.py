"""Runs of this process: start, find, follow, stop. Every look-up is for an owner.

A run that has ended stays in memory for `KEEP_ENDED_S`, for the viewers that come right back; after
that it is read from the store, and looks the same.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from app.runs.committer import Committer
from app.runs.errors import NotFound, OverCapacity, ShuttingDown
from app.runs.interfaces import Clock, Provider, RunLimits, RunStore, Runtime
from app.runs.records import (
    ENDED,
    Message,
    ProviderRequest,
    Receipt,
    RunEnd,
    RunRecord,
    Turn,
)
from app.runs.run import STOPPED, Outcome, Run
from app.runs.run_errors import RunError, RunTimeout, UpstreamTimeout
from app.runs.run_log import LogReader, RunLog

log = logging.getLogger(__name__)

KEEP_ENDED_S = 30.0  # a reconnect comes within seconds; a reload within half a minute
STOP_WAIT_S = 10.0  # a receipt waits for its end to be stored, and says so if it is not


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run to look at: its record and log; `live` is None for one read from the store."""

    record: RunRecord
    log: RunLog
    live: Run | None = None


class RunService:
    """Start, find, follow and stop runs; thread-safe."""

    def __init__(
        self,
        store: RunStore,
        runtime: Runtime,
        worker_id: str,
        clock: Clock | None = None,
        limits: RunLimits | None = None,
        on_ended: Callable[[Run, RunEnd], None] = lambda run, end: None,
    ) -> None:
        self.worker_id = worker_id
        self.limits = limits or RunLimits()
        self._store = store
        self._runtime = runtime
        self._clock = clock or Clock()
        self._notify_ended = on_ended
        self._committer = Committer(
            store, runtime, worker_id, self._clock, self.limits.store_timeout_s, self._ended
        )
        self._lock = threading.Lock()
        self._going: dict[str, Run] = {}  # guarded by _lock
        self._ended_runs: dict[str, tuple[Run, float]] = {}  # guarded by _lock; oldest first
        self._starting = 0  # guarded by _lock
        self._of_caller: Counter[str] = Counter()  # going and starting; guarded by _lock
        self._ended_count = 0  # guarded by _lock
        self._shutting_down = False

    def start(
        self,
        turn: Turn,
        provider: Provider,
        make_request: Callable[[list[Message]], ProviderRequest],
        caller: str = "",
    ) -> Run:
        """Store the turn, spawn its run, return at once. Raises OverCapacity, SessionBusy,
        StorageUnavailable."""
        self._reserve(caller)
        run = None
        try:
            branch = self._runtime.run_blocking(self._store.begin_turn, turn)
            run = Run(
                replace(turn.run, status="running"),
                make_request(branch),
                self._committer,
                self._clock,
                self.limits.max_reply_bytes,
                caller,
            )
            with self._lock:
                self._going[run.record.id] = run
        finally:
            with self._lock:
                self._starting -= 1
                if run is None:
                    self._release(caller)
        # Not before it is registered: a run may be over as soon as it is spawned.
        run.task = self._runtime.spawn(lambda: run.drive(provider.stream(run.request)))
        return run

    def _reserve(self, caller: str) -> None:
        with self._lock:
            if self._shutting_down:
                raise ShuttingDown()
            if len(self._going) + self._starting >= self.limits.max_runs:
                raise OverCapacity()
            if self._of_caller[caller] >= self.limits.max_runs_per_user:
                raise OverCapacity("You have as many replies under way as one user may have.")
            self._starting += 1
            self._of_caller[caller] += 1

    def _release(self, caller: str) -> None:
        self._of_caller[caller] -= 1
        if not self._of_caller[caller]:
            del self._of_caller[caller]

    def _ended(self, run: Run, end: RunEnd) -> None:
        with self._lock:
            if self._going.pop(run.record.id, None) is not None:
                self._release(run.caller)
            self._ended_runs[run.record.id] = (run, self._clock.monotonic() + KEEP_ENDED_S)
            self._ended_count += 1
        log.info("run %s", end.status, extra=_figures(run, end))
        self._notify_ended(run, end)

    def find(self, owner: str, run_id: str) -> FoundRun:
        """Return the owner's run. Raises NotFound, for another's too."""
        with self._lock:
            kept = self._ended_runs.get(run_id)
            run = self._going.get(run_id) or (kept[0] if kept else None)
        if run is not None:
            if run.record.owner != owner:
                raise NotFound()
            return FoundRun(run.record, run.log, run)
        record = self._runtime.run_blocking(self._store.find_run, owner, run_id)
        if record is None:
            raise NotFound()
        entries = self._runtime.run_blocking(self._store.read_entries, run_id)
        return FoundRun(record, RunLog(entries))

    def follow(self, found: FoundRun, after: int = 0) -> LogReader:
        """Return a cursor into the run's log. Raises BadCursor if `after` is ahead of it."""
        return LogReader(
            found.log,
            after,
            self._runtime.new_waiter(),
            self.limits.heartbeat_s,
            self._clock.monotonic,
        )

    def age_s(self, found: FoundRun) -> float:
        """Return how long ago the run started, in seconds."""
        return round(max(0.0, self._clock.wall() - found.record.created_at), 1)

    def stop(self, owner: str, run_id: str) -> Receipt:
        """End the run, upstream closed and text kept; the same receipt however often. Raises
        NotFound."""
        found = self.find(owner, run_id)
        run = found.live
        if run is None:
            return _receipt(found.record, found.log)
        run.end_with(STOPPED)
        self._wait_for_end(run)
        return _receipt(run.record, run.log, run)

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
        with self._lock:
            going = list(self._going.values())
            for run_id, (_, until) in list(self._ended_runs.items()):
                if until > now:
                    break
                del self._ended_runs[run_id]
        for run in going:
            run.log.wake_due(now)
            error = self._overdue(run, now)
            if error is not None and not run.ending:
                self._runtime.spawn(run.end_with, Outcome("failed", "error", error))

    def _overdue(self, run: Run, now: float) -> RunError | None:
        age = now - run.started_at
        if age >= self.limits.run_timeout_s:
            return RunTimeout()
        if run.first_piece_at is None and age >= self.limits.first_delta_timeout_s:
            return UpstreamTimeout()
        return None

    def refuse_new(self) -> None:
        """From now on every start is ShuttingDown."""
        with self._lock:
            self._shutting_down = True

    def forget_session(self, owner: str, session_id: str) -> None:
        """Forget the ended runs of a session that was deleted."""
        with self._lock:
            for run_id, (run, _) in list(self._ended_runs.items()):
                if (run.record.owner, run.record.session_id) == (owner, session_id):
                    del self._ended_runs[run_id]

    def counts(self) -> dict[str, int]:
        """Return how many runs are going, starting and ended since the start."""
        with self._lock:
            return {
                "running": len(self._going),
                "queued": self._starting,
                "ended": self._ended_count,
            }

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
                "age_s": self.age_s(FoundRun(run.record, run.log, run)),
            }
            for run in self.going()
        ]

    def going(self) -> list[Run]:
        """Return the runs under way."""
        with self._lock:
            return list(self._going.values())


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


def _receipt(record: RunRecord, run_log: RunLog, run: Run | None = None) -> Receipt:
    return Receipt(
        run_id=record.id,
        session_id=record.session_id,
        status=record.status if record.status in ENDED else "running",
        seq=run_log.last_seq,
        upstream_closed=run.upstream_closed if run else None,
        stopped_in_ms=run.stopped_in_ms if run else 0.0,
        usage=record.usage,
    )
