"""The hot path of the store: what all runs have new, in one row of the journal.

On the driver's own connections. A batch that ends no run is one statement, which commits itself; it
goes by the hub's connection where there is one. What is more goes by a thread, one batch at a time
by either way. What a commit that failed has done is not known: the connection may have gone before
the answer.
Each batch has a number, the same one when it is tried again, and what is compacted is read anew
after a failure. A batch that is given up leaves its number behind: the statement may still be on
its way, and must not meet another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import orjson

from app.core.errors import StorageUnavailable
from app.core.store import Batch, EndedRun, WorkerLost
from app.runs.ports import Lock
from app.stores.journal import Journal, Line
from app.stores.journal_commit import RUNS_A_SECOND, JournalCommit
from app.stores.postgres.connection import ThreadConnection
from app.stores.postgres.connections import Connections, all_or_nothing
from app.stores.postgres.driver import PsycopgDriver
from app.stores.postgres.hub import HubConnection

RUNS_AT_ONCE = 8  # compacted by the duty that comes each second, while appends wait
# Whoever takes the worker over holds its row FOR UPDATE: either it sees this row, or this finds
# nobody.
_ALIVE = "SELECT 1 FROM workers WHERE id = %s AND lost_at IS NULL FOR KEY SHARE"
APPEND_IF_ALIVE = b"""
INSERT INTO journal (worker_id, id, entries)
SELECT id, $1::bigint, $2 FROM workers WHERE id = $3 AND lost_at IS NULL FOR KEY SHARE
ON CONFLICT (worker_id, id) DO UPDATE SET entries = excluded.entries
"""
_APPEND = """
INSERT INTO journal (worker_id, id, entries) VALUES (%s, %s, %s)
ON CONFLICT (worker_id, id) DO UPDATE SET entries = excluded.entries
"""
_LAST = "SELECT coalesce(max(id), 0) FROM journal WHERE worker_id = %s"
_ROWS = """
SELECT id, entries FROM journal WHERE worker_id = %s AND id <> ALL(%s) ORDER BY id
"""
_TRIM = "DELETE FROM journal WHERE worker_id = %s AND id <= %s"
# A run whose session is deleted meanwhile leaves no orphans, and one that another worker has ended
# gets nothing after its end.
_COMPACT = """
INSERT INTO run_entries (run_id, seq, last_seq, entries)
SELECT id, %s, %s, %s FROM runs WHERE id = %s AND worker_id = %s AND ended_at IS NULL
FOR KEY SHARE
ON CONFLICT DO NOTHING
"""
_COMPACTED = "SELECT run_id, max(last_seq) FROM run_entries WHERE run_id = ANY(%s) GROUP BY run_id"
_HOLD_SESSIONS = """
SELECT 1 FROM sessions WHERE (owner, id) IN (SELECT unnest(%s::text[]), unnest(%s::text[]))
ORDER BY owner, id FOR NO KEY UPDATE
"""


class PostgresAppends:
    """The journal's one writer in this process; others wait for it."""

    def __init__(self, connections: Connections, hub: HubConnection | None = None) -> None:
        self._connections = connections
        self._hub = hub
        self._lock = Lock()  # of real threads
        self._worker_id = ""
        self._journal: Journal | None = None  # None: to be read
        self._row_id = 0  # of the batch that was tried last
        self._tried: Batch | None = None  # what may have been stored or not
        self._given_up: list[int] = []  # numbers of which nothing counts

    def append(self, worker_id: str, batch: Batch) -> None:
        """Write the batch in one transaction, or nothing. Raises WorkerLost, ValueError,
        StorageUnavailable."""
        with self._alone(), self._connections.driver() as connection:
            self._number(connection, worker_id, batch)
            self._append(connection, self._read(connection), batch)
            self._tried = None

    def _number(self, connection: ThreadConnection, worker_id: str, batch: Batch) -> None:
        if worker_id != self._worker_id:
            self._journal, self._tried, self._given_up = None, None, []
            last = connection.execute(_LAST, (worker_id,)).fetchone()
            self._row_id = last[0] if last else 0
            self._worker_id = worker_id
        self._number_next(batch)

    def _number_next(self, batch: Batch) -> None:
        if batch is self._tried:
            return
        if self._tried is not None:
            self._given_up.append(self._row_id)
        self._row_id += 1
        self._tried = batch

    def _append(self, connection: ThreadConnection, journal: Journal, batch: Batch) -> None:
        lines = journal.lines(batch)
        if not _is_one_statement(journal, batch, lines):
            now = batch.entries[-1][1][-1].at if lines else 0.0
            _Transaction(connection, journal).write(batch, lines, now, self._row_id)
            return
        if not connection.run(APPEND_IF_ALIVE, *self._values(lines)):
            raise WorkerLost(self._worker_id)
        journal.note(self._row_id, lines)

    def _values(self, lines: list[Line]) -> tuple[bytes, ...]:
        return (b"%d" % self._row_id, orjson.dumps(lines), self._worker_id.encode())

    def append_soon(self, worker_id: str, batch: Batch, done: Callable[[bool], None]) -> bool:
        """Begin to write the batch, in the hub; False if it cannot be, or is more than a statement.

        `done` is told whether it is stored; if that is not known, or this worker is lost, it is to
        be given to `append`, by which it has the same number. Raises ValueError.
        """
        # The lock is held until the answer is there: by the hub's thread, which never waits here.
        if self._hub is None or not self._hub.is_free() or not self._lock.acquire(blocking=False):
            return False
        begun = False
        try:
            journal = self._journal
            if journal is None or worker_id != self._worker_id:
                return False
            lines = journal.lines(batch)
            if _is_one_statement(journal, batch, lines):
                self._number_next(batch)
                told = partial(self._answered, journal, lines, done)
                begun = self._hub.send(self._values(lines), told)
                self._journal = journal if begun else None
        finally:
            if not begun:
                self._lock.release()
        return begun

    def _answered(
        self, journal: Journal, lines: list[Line], done: Callable[[bool], None], rows: int | None
    ) -> None:
        if rows:
            journal.note(self._row_id, lines)
            self._tried = None
        else:
            self._journal = None
        self._lock.release()
        done(bool(rows))

    def compact(self, now: float) -> None:
        """Compact what has waited for long, and trim. Raises StorageUnavailable."""
        for _ in range(RUNS_A_SECOND // RUNS_AT_ONCE):
            if not self._compact_some(now):
                break

    def _compact_some(self, now: float) -> bool:
        if self._journal is None:
            return False
        with self._alone(), self._connections.driver() as connection:
            try:
                return _Transaction(connection, self._read(connection)).tidy(now, RUNS_AT_ONCE)
            except WorkerLost:  # the next append says so to whom it concerns
                self._journal = None
                return False

    def _read(self, connection: ThreadConnection) -> Journal:
        """Return what the journal has of this worker; it is read where we lost sight of it."""
        if self._journal is None:
            passed_over = [*self._given_up, *([self._row_id] if self._tried is not None else [])]
            self._journal = _read(connection, self._worker_id, passed_over)
        return self._journal

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Write alone; whatever fails, what was written is read before the next time."""
        if not self._lock.acquire(timeout=self._connections.patience_s):
            raise StorageUnavailable()
        try:
            yield
        except BaseException:
            self._journal = None
            raise
        finally:
            self._lock.release()


def _is_one_statement(journal: Journal, batch: Batch, lines: list[Line]) -> bool:
    if batch.ends or batch.pauses or not lines:
        return False
    return journal.is_quiet(batch.entries[-1][1][-1].at)


def _read(connection: ThreadConnection, worker_id: str, passed_over: list[int]) -> Journal:
    journal = Journal(worker_id)
    rows = connection.execute(_ROWS, (worker_id, passed_over)).fetchall()
    read = [(row_id, orjson.loads(stored)) for row_id, stored in rows]
    run_ids = list({line[0] for _, lines in read for line in lines})
    compacted = dict(connection.execute(_COMPACTED, (run_ids,)).fetchall())
    for row_id, lines in read:
        journal.note(row_id, [tuple(one) for one in lines if one[1] > compacted.get(one[0], 0)])
    return journal


class _Transaction(JournalCommit):
    def __init__(self, connection: ThreadConnection, journal: Journal) -> None:
        super().__init__(PsycopgDriver(connection), journal)
        self._connection = connection

    @contextmanager
    def _alive(self) -> Iterator[None]:
        with all_or_nothing(self._connection):
            alive = self._connection.execute(_ALIVE, (self._worker_id,), prepare=True)
            if alive.fetchone() is None:
                raise WorkerLost(self._worker_id)
            yield

    def _hold(self, batch: Batch) -> None:
        """Hold the sessions in which runs end, in the order in which all hold them."""
        records = [one.record for one in batch.ends] + [one.record for one in batch.pauses]
        if records:
            owners = [record.owner for record in records]
            ids = [record.session_id for record in records]
            self._connection.execute(_HOLD_SESSIONS, (owners, ids), prepare=True)

    def _in_order(self, ends: Sequence[EndedRun]) -> Sequence[EndedRun]:
        return sorted(ends, key=_usage_key)

    def _add_row(self, lines: str, row_id: int) -> int:
        self._connection.execute(_APPEND, (self._worker_id, row_id, lines), prepare=True)
        return row_id

    def _add_entries(self, run_id: str, first: int, last: int, entries: str) -> None:
        values = (first, last, entries, run_id, self._worker_id)
        self._connection.execute(_COMPACT, values, prepare=True)

    def _delete_rows(self, row_id: int) -> None:
        self._connection.execute(_TRIM, (self._worker_id, row_id), prepare=True)


def _usage_key(one: EndedRun) -> tuple[str, str, str]:
    """Return what orders ends as all order them: each adds to its owner's day."""
    return (one.record.owner, one.end.provider or "", one.end.model or "")
