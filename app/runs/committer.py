"""The committer: store what all runs have new in one transaction a turn, then show it.

Runs offer entries; the first offer of a turn asks the runtime for a flush soon, or after a moment
where a commit is dear (`Store.gathers`). A flush takes everything offered, stores it, and only then
appends it to the logs, which wakes the viewers. While one batch is being written the next one
gathers, so the order of a run's entries is the order they were offered in.

A store of another kind begins to write in the hub, and tells when that is done (`Soon`). Where
neither can be (another process holds the lock, the disk is full, the connection is gone), the batch
goes to the store's thread and is tried again for `store_timeout_s`; then its runs end as
`storage_unavailable`, the one end that is shown unstored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from app.core.broker import Broker, News
from app.core.entries import END, Entry, content_of
from app.core.errors import StorageUnavailable
from app.core.messages import extended
from app.core.run_errors import RunInternalError, RunStorageFailed
from app.core.runs import RunEnd, RunPause
from app.core.store import Batch, EndedRun, Immediate, PausedRun, Soon, Store, WorkerLost
from app.core.usage import CostOf, no_cost
from app.runs.log import LogReader
from app.runs.log_lines import figures_of, level_of, size_of
from app.runs.offered import Offered, behind_what_is_stored, end_entry, end_of
from app.runs.ports import Calls, Clock, Lock, RunMetrics, Runtime
from app.runs.registry import RunRegistry
from app.runs.run import Outcome, Run, interrupted
from app.runs.worker import Worker

log = logging.getLogger(__name__)

# between tries of a store that fails: often enough to come back at once, rare enough to be free
RETRY_S = 0.1
STORED_LOOK_S = 1.0  # between looks whether a run that waits for its entries has ended meanwhile
# a producer that never waits lets others run this often; measured: /health then within 12 ms
TURN_S = 0.002


class Committer:
    """One for all runs of a process; thread-safe. Implements `run.Sink`."""

    def __init__(
        self,
        store: Store,
        calls: Calls,
        worker: Worker,
        registry: RunRegistry,
        broker: Broker,
        metrics: RunMetrics,
        runtime: Runtime,
        clock: Clock,
        store_timeout_s: float,
        cost_of: CostOf = no_cost,
        gather_s: float = 0.0,
    ) -> None:
        self._store = store
        self._append_now = store.append_now if isinstance(store, Immediate) else _not_now
        self._append_soon = store.append_soon if isinstance(store, Soon) else _not_soon
        self._calls = calls
        self._worker = worker
        self._registry = registry
        self._broker = broker
        self._metrics = metrics
        self._runtime = runtime
        self._clock = clock
        self._store_timeout_s = store_timeout_s
        self._cost_of = cost_of
        self._gather_s = gather_s if store.gathers else 0.0
        self._ask_for_flush: Callable[[], object] = (
            partial(runtime.call_later, self._gather_s, self._gathered)
            if self._gather_s
            else partial(runtime.call_soon, self._flush)
        )
        self._lock = Lock()
        self._offered: dict[str, Offered] = {}  # guarded by _lock
        self._scheduled = False  # guarded by _lock
        self._writing = False  # guarded by _lock
        self._late_ends: list[tuple[str, Batch]] = (
            []
        )  # ends that were shown unstored; guarded by _lock
        self._due_since = 0.0  # when the next flush is wanted

    def offer(self, run: Run, entries: list[Entry]) -> None:
        """Take entries of a run."""
        with self._lock:
            if run.end_offered:
                return  # a thread that could not be killed in time; nothing comes after an end
            self._of(run).entries += entries
            schedule = self._schedule()
        if schedule:
            self._ask_for_flush()

    def offer_end(self, run: Run, end: RunEnd, at: float) -> None:
        """Take the end of a run; nothing of that run may come after it."""
        with self._lock:
            if run.end_offered:
                return  # we ended it meanwhile, as its store failed
            run.end_offered = True
            offered = self._of(run)
            offered.end, offered.end_at = end, at
            schedule = self._schedule()
        if schedule:
            self._ask_for_flush()

    def offer_pause(self, run: Run, pause: RunPause) -> None:
        """Take what a run waits for; nothing of this run may come after it."""
        with self._lock:
            if run.end_offered:
                return
            run.end_offered = True
            self._of(run).pause = pause
            schedule = self._schedule()
        if schedule:
            self._ask_for_flush()

    def wait_until_stored(self, run: Run, seq: int) -> None:
        """Return once that entry of the run is stored; or when its time is over, as the ticker
        sees to."""
        waiter, now = self._runtime.new_waiter(), self._clock.monotonic
        reader = LogReader(run.log, run.log.last_seq, waiter, STORED_LOOK_S, now)
        while run.log.last_seq < seq and not run.ending:
            reader.read()

    def give_up_turn(self) -> None:
        """Give up the turn when a flush has been waiting for TURN_S: recv on a full socket never
        waits."""
        if self._scheduled and self._clock.monotonic() - self._due_since > TURN_S:
            self._runtime.sleep(0)

    def _of(self, run: Run) -> Offered:
        offered = self._offered.get(run.record.id)
        if offered is None:
            offered = self._offered[run.record.id] = Offered(run)
        return offered

    def _schedule(self) -> bool:
        if self._scheduled or (self._writing and not self._gather_s):
            return False
        self._scheduled = True
        self._due_since = self._clock.monotonic() + self._gather_s
        return True

    def _gathered(self) -> None:
        with self._lock:
            self._scheduled = False
        self._flush()

    def _flush(self) -> None:
        while offered := self._take():
            worker_id, batch = offered[0].run.record.worker_id, self._to_batch(offered)
            began = self._clock.monotonic()
            try:
                stored = self._append_now(worker_id, batch)
            except Exception as error:  # whatever it is, it must not hold up the runs to come
                log.warning("the store refused a batch: %s", type(error).__name__)
                stored = False
            if not stored:
                self._hand_on(worker_id, offered, batch, began)
                return
            self._written(offered, batch, began)

    def _hand_on(self, worker_id: str, offered: list[Offered], batch: Batch, began: float) -> None:
        """Have a batch written that could not be at once."""

        def done(is_stored: bool) -> None:
            if is_stored:
                self._calls.note(True)
                self._written(offered, batch, began)
                self._flush()
            else:
                self._runtime.spawn(self._write_later, worker_id, offered, batch, began)

        try:
            is_begun = self._append_soon(worker_id, batch, done)
        except Exception as error:
            log.warning("the store refused a batch: %s", type(error).__name__)
            is_begun = False
        if not is_begun:
            done(False)

    def _take(self) -> list[Offered]:
        with self._lock:
            if not self._gather_s:
                self._scheduled = False
            if self._scheduled or self._writing or not self._offered:
                return []  # `_gathered` is to come, or whoever writes
            waiting = list(self._offered.values())
            # Of one worker: a process that was taken for dead goes on as another.
            worker_id = waiting[0].run.record.worker_id
            offered = [one for one in waiting if one.run.record.worker_id == worker_id]
            for one in offered:
                del self._offered[one.run.record.id]
            self._writing = True
            return offered

    def _to_batch(self, offered: list[Offered]) -> Batch:
        batch = Batch()
        for one in offered:
            run = one.run
            entries = list(one.entries)
            if one.end is not None:
                content = extended(run.log.content(), content_of(entries))
                usage = run.usage_of(content)
                cost = self._cost_of(one.end.provider, one.end.model, usage)
                one.end = replace(one.end, usage=usage, cost=cost)
                last_seq = entries[-1].seq if entries else run.log.last_seq
                one.entries.append(end_entry(one, last_seq + 1))
                entries = list(one.entries)
                kept = extended(run.base, content)
                batch.ends.append(EndedRun(run.record, one.end, kept, one.end_at))
            if entries:
                batch.entries.append((run.record.id, entries))
            if one.pause is not None:
                cost = self._cost_of(one.pause.provider, one.pause.model, one.pause.usage)
                one.pause = replace(one.pause, cost=cost)
                kept = extended(run.base, extended(run.log.content(), content_of(entries)))
                at = self._clock.wall()
                batch.pauses.append(PausedRun(run.record, one.pause, kept, at))
        return batch

    def _write_later(
        self, worker_id: str, offered: list[Offered], batch: Batch, began: float
    ) -> None:
        """Try for as long as a store may fail; whatever comes of it, the next batch is next."""
        deadline = began + self._store_timeout_s
        try:
            self._write_until(deadline, worker_id, offered, batch)
        finally:
            self._flush()

    def _write_until(
        self, deadline: float, worker_id: str, offered: list[Offered], batch: Batch
    ) -> None:
        try:
            self._try_until(deadline, worker_id, batch)
        except WorkerLost:
            log.error("this worker was taken for dead; its runs are interrupted")
            self._end_as_stored(offered)
            self._worker.was_lost(worker_id)
        except StorageUnavailable:
            log.error("the store failed for %s s", self._store_timeout_s)
            self._give_up(worker_id, offered, Outcome("failed", "error", RunStorageFailed()))
        except Exception:
            ours = RunInternalError()
            log.exception("a batch cannot be stored", extra={"error_id": ours.error_id})
            self._give_up(worker_id, offered, Outcome("failed", "error", ours))
        else:
            self._written(offered, batch, deadline - self._store_timeout_s)

    def _try_until(self, deadline: float, worker_id: str, batch: Batch) -> None:
        while True:
            try:
                self._runtime.run_blocking(self._append, deadline, worker_id, batch)
                self._calls.note(True)
                return
            except StorageUnavailable:
                self._calls.note(False)
                if self._clock.monotonic() >= deadline:
                    raise
            self._runtime.sleep(RETRY_S)

    def _append(self, deadline: float, worker_id: str, batch: Batch) -> None:
        left = deadline - self._clock.monotonic()
        self._store.set_patience(max(0.0, left))
        self._store.append(worker_id, batch)

    def _written(self, offered: list[Offered], batch: Batch, began: float) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("batch stored", extra=size_of(batch, self._clock.monotonic() - began))
        for one in offered:
            self._show(one, one.entries)
        with self._lock:
            self._writing = False

    def _show(self, one: Offered, entries: list[Entry]) -> None:
        run, end = one.run, one.end
        last_seq = entries[-1].seq if entries else run.log.last_seq
        if end is not None:
            run.record = run.record.ended(end, last_seq, one.end_at)
        elif one.pause is not None:
            run.record = run.record.waiting(one.pause, last_seq)
        run.log.append(entries)
        self._broker.publish_entries(run.record.id, entries)
        if end is not None:
            self._tell_end(run, end)
        elif one.pause is not None:
            self._tell_pause(run)

    def _tell_end(self, run: Run, end: RunEnd) -> None:
        record = run.record
        self._registry.ended(run)
        log.log(level_of(end), "run %s", end.status, extra=figures_of(run, end))
        self._metrics.run_ended(record)
        data = {"run_id": record.id, "session_id": record.session_id, "seq": run.log.last_seq}
        news = News("run_ended", {**data, "status": record.status})
        self._broker.publish_news(record.owner, record.session_id, news)

    def _tell_pause(self, run: Run) -> None:
        record = run.record
        self._registry.ended(run)
        actions = len(record.pending or ())
        log.info("run waits", extra={"run_id": record.id, "actions": actions})
        data = {"run_id": record.id, "session_id": record.session_id, "seq": run.log.last_seq}
        news = News("run_waiting", {**data, "status": record.status})
        self._broker.publish_news(record.owner, record.session_id, news)

    def _give_up(self, worker_id: str, offered: list[Offered], outcome: Outcome) -> None:
        """End the runs of a batch that cannot be stored: show the end alone, and store it later."""
        self._close(offered, outcome)
        owed = Batch()
        for one in offered:
            run = one.run
            one.end = end_of(one, outcome)
            entry = end_entry(one, run.log.last_seq + 1)
            owed.entries.append((run.record.id, [entry]))
            kept = extended(run.base, run.log.content())
            owed.ends.append(EndedRun(run.record, one.end, kept, one.end_at))
            self._show(one, [entry])
        with self._lock:
            self._late_ends.append((worker_id, owed))

    def _end_as_stored(self, offered: list[Offered]) -> None:
        """End the runs that another worker has ended: show what it stored, and nothing of ours.

        Where that cannot be read, or went with its session, ours is shown: there must be one.
        """
        outcome = interrupted()
        self._close(offered, outcome)
        for one in offered:
            run, stored = one.run, []
            with suppress(StorageUnavailable):
                stored = self._runtime.run_blocking(
                    self._store.read_entries, run.record.id, run.log.last_seq
                )
            if stored and stored[-1].kind == END:
                one.end = RunEnd.from_json(stored[-1].data)
            else:
                one.end = end_of(one, outcome)
                stored = [end_entry(one, run.log.last_seq + 1)]
            self._show(one, stored)

    def _close(self, offered: list[Offered], outcome: Outcome) -> None:
        for one in offered:
            one.run.end_with(outcome)  # closes upstream; the end it offers is taken back below
        with self._lock:
            self._writing = False
            for one in offered:
                one.run.end_offered = True
                late = self._offered.pop(one.run.record.id, None)
                one.end = (late.end if late else None) or one.end
                one.end_at = self._clock.wall()

    def store_late_ends(self) -> None:
        """Store the ends that were shown unstored. Raises StorageUnavailable while it cannot."""
        while self._late_ends:
            worker_id, batch = self._late_ends[0]
            try:
                otherwise = self._runtime.run_blocking(self._append_late, worker_id, batch)
            except StorageUnavailable:
                raise
            except WorkerLost:
                log.warning("runs whose ends were shown unstored have been ended by others")
                otherwise = [run_id for run_id, _ in batch.entries]
            except Exception as error:  # nobody ever can
                log.warning("ends that were shown unstored are given up: %s", type(error).__name__)
                otherwise = []
            for run_id in otherwise:
                self._registry.forget_ended(run_id)  # from now on what is stored is seen
            with self._lock:
                self._late_ends.pop(0)

    def _append_late(self, worker_id: str, batch: Batch) -> list[str]:
        batch, otherwise = behind_what_is_stored(batch, self._store.read_entries)
        self._store.append(worker_id, batch)
        return otherwise


def _not_now(worker_id: str, batch: Batch) -> bool:
    """Leave it to the store's thread."""
    return False


def _not_soon(worker_id: str, batch: Batch, done: Callable[[bool], None]) -> bool:
    """Leave it to the store's thread."""
    return False
