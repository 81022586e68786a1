"""The hot path of the store: what all runs have new, in one row of the journal.

On the driver's own connections, because this runs once a turn of the hub. A batch that ends no run
is one statement. What waits in the journal is moved to `run_entries` (compacted) when its run ends,
when it is much, and when it is some seconds old; then its rows are deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from app.core.store import Batch, WorkerLost
from app.stores.journal import Journal
from app.stores.journal_commit import JournalCommit
from app.stores.sqlite.connections import all_or_nothing

_ALIVE = "SELECT 1 FROM workers WHERE id = ? AND lost_at IS NULL"
_APPEND_IF_ALIVE = """
INSERT INTO journal (worker_id, entries) SELECT id, ? FROM workers WHERE id = ? AND lost_at IS NULL
"""
_APPEND = "INSERT INTO journal (entries, worker_id) VALUES (?, ?)"
_ROWS = "SELECT id, entries FROM journal WHERE worker_id = ? ORDER BY id"
_TRIM = "DELETE FROM journal WHERE worker_id = ? AND id <= ?"
# A run whose session was deleted meanwhile leaves no orphans, and one that another worker has ended
# gets nothing after its end.
_GOING = "SELECT 1 FROM runs WHERE id = ? AND worker_id = ? AND ended_at IS NULL"
# IGNORE: no commit can succeed any more if one run's entries cannot be compacted.
_COMPACT = "INSERT OR IGNORE INTO run_entries (run_id, seq, last_seq, entries) VALUES (?, ?, ?, ?)"
_COMPACTED = "SELECT max(last_seq) FROM run_entries WHERE run_id = ?"


class SqliteAppends:
    """The journal's one writer in this process: it refuses a second one that comes meanwhile."""

    def __init__(self) -> None:
        self._journal: Journal | None = None  # None: to be read
        # Not a lock: those of `threading` are green threads' own, and one of the two that come here
        # is the store's thread. A list's `pop` is one step for both.
        self._free = [True]

    def append(self, connection: sqlite3.Connection, worker_id: str, batch: Batch) -> None:
        """Write the batch in one transaction, or nothing.

        Raises WorkerLost, ValueError, sqlite3.Error.
        """
        self._enter()
        try:
            self._append(connection, worker_id, batch)
        except sqlite3.Error:
            raise  # nothing was written, and nothing noted
        except BaseException:
            self._journal = None  # what was written may not be noted
            raise
        finally:
            self._free.append(True)

    def _append(self, connection: sqlite3.Connection, worker_id: str, batch: Batch) -> None:
        journal = self._journal
        if journal is None or journal.worker_id != worker_id:
            journal = self._journal = _read(connection, worker_id)
        lines = journal.lines(batch)
        now = batch.entries[-1][1][-1].at if lines else 0.0
        if batch.ends or batch.pauses or not lines or not journal.is_quiet(now):
            _Transaction(connection, journal).write(batch, lines, now)
            return
        values = (orjson.dumps(lines).decode(), worker_id)
        appended = connection.execute(_APPEND_IF_ALIVE, values)
        if not appended.rowcount:
            raise WorkerLost(worker_id)
        journal.note(appended.lastrowid or 0, lines)

    def compact(self, connection: sqlite3.Connection, now: float) -> None:
        """Compact what has waited for long, and trim. Raises sqlite3.Error."""
        try:
            self._enter()
        except sqlite3.Error:
            return  # whoever appends does it
        try:
            if self._journal is not None:
                _Transaction(connection, self._journal).tidy(now)
        except sqlite3.Error:
            raise
        except WorkerLost:
            self._journal = None  # the next append says so to whom it concerns
        except BaseException:
            self._journal = None
            raise
        finally:
            self._free.append(True)

    def _enter(self) -> None:
        try:
            self._free.pop()
        except IndexError:
            raise sqlite3.OperationalError("the journal is being written") from None


def _read(connection: sqlite3.Connection, worker_id: str) -> Journal:
    """Return what the journal has of this worker: nothing, unless we lost sight of it."""
    journal = Journal(worker_id)
    compacted: dict[str, int] = {}
    for row_id, stored in connection.execute(_ROWS, (worker_id,)).fetchall():
        lines = []
        for run_id, seq, pieces in orjson.loads(stored):
            if run_id not in compacted:
                compacted[run_id] = connection.execute(_COMPACTED, (run_id,)).fetchone()[0] or 0
            if seq > compacted[run_id]:
                lines.append((run_id, seq, pieces))
        journal.note(row_id, lines)
    return journal


class _Transaction(JournalCommit):
    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        super().__init__(connection, journal)
        self._connection = connection

    @contextmanager
    def _alive(self) -> Iterator[None]:
        with all_or_nothing(self._connection):
            if self._connection.execute(_ALIVE, (self._worker_id,)).fetchone() is None:
                raise WorkerLost(self._worker_id)
            yield

    def _add_row(self, lines: str, row_id: int) -> int:
        return self._connection.execute(_APPEND, (lines, self._worker_id)).lastrowid or 0

    def _add_entries(self, run_id: str, first: int, last: int, entries: str) -> None:
        self._connection.execute(_COMPACT, (run_id, first, last, entries))

    def _delete_rows(self, row_id: int) -> None:
        self._connection.execute(_TRIM, (self._worker_id, row_id))

    def _is_going(self, run_id: str) -> bool:
        going = self._connection.execute(_GOING, (run_id, self._worker_id))
        return going.fetchone() is not None
