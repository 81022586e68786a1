"""The hot path of the store: what all runs have new, in one row of the journal.

On the driver's own connections, because this runs once a turn of the hub. A batch that ends no run
is one statement. What waits in the journal is moved to `run_entries` (compacted) when its run ends,
when it is much, and when it is some seconds old; then its rows are deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson

from app.core.store import Batch, WorkerLost
from app.stores.journal import TRIM_ROWS, Journal, Line
from app.stores.sql.ends import end_run
from app.stores.sql.waiting import pause_run
from app.stores.sqlite.connections import all_or_nothing

RUNS_A_COMMIT = 4  # compacted beside what a commit brings: ten or twenty microseconds each
RUNS_A_SECOND = 64  # compacted by the duty that comes each second: of runs that are silent
ROWS_A_SECOND = 256  # trimmed by it
PIECES_A_ROW = 1000  # of run_entries: a reader decodes whole rows
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


class _Transaction:
    """A commit that does more than append. The journal hears of it when it is done."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal
        self._worker_id = journal.worker_id
        self._compacted: list[str] = []

    def write(self, batch: Batch, lines: list[Line], now: float) -> None:
        """Write a batch, all of it or nothing."""
        ended: dict[str, list[Line]] = {one.record.id: [] for one in batch.ends}
        ended.update({one.record.id: [] for one in batch.pauses})
        kept: list[Line] = []
        for line in lines:
            ended.get(line[0], kept).append(line)
        due = self._journal.due(now, RUNS_A_COMMIT) if lines else []
        row_id = 0
        with self._alive():
            if kept:
                values = (orjson.dumps(kept).decode(), self._worker_id)
                row_id = self._connection.execute(_APPEND, values).lastrowid or 0
            for run_id in due:
                if run_id not in ended:
                    self._compact(run_id)
            for one in batch.ends:
                self._compact(one[0].id, ended[one[0].id])
                end_run(self._connection, self._worker_id, *one)
            for record, pause, content, _ in batch.pauses:
                last_seq = self._compact(record.id, ended[record.id])
                pause_run(self._connection, self._worker_id, record, pause, content, last_seq)
            trimmed = self._trim(TRIM_ROWS, TRIM_ROWS)
        self._note(trimmed)
        if row_id:
            self._journal.note(row_id, kept)

    def tidy(self, now: float) -> None:
        """Compact what is due, and trim."""
        due = self._journal.due(now, RUNS_A_SECOND)
        if not due and not self._journal.rows_done((), 1, 1):
            return
        with self._alive():
            for run_id in due:
                self._compact(run_id)
            trimmed = self._trim(1, ROWS_A_SECOND)
        self._note(trimmed)

    @contextmanager
    def _alive(self) -> Iterator[None]:
        with all_or_nothing(self._connection):
            if self._connection.execute(_ALIVE, (self._worker_id,)).fetchone() is None:
                raise WorkerLost(self._worker_id)
            yield

    def _compact(self, run_id: str, more: Sequence[Line] = ()) -> int:
        """Move what the run has waiting, and more that comes with its end; return the number of the
        last of it, 0 for none."""
        self._compacted.append(run_id)
        waiting = self._journal.waiting(run_id)
        seq = waiting.seq if waiting else more[0][1] if more else 0
        pieces = list(waiting.pieces) if waiting else []
        for line in more:
            pieces += line[2]
        if not pieces or not self._is_going(run_id):
            return 0
        for start in range(0, len(pieces), PIECES_A_ROW):
            row = pieces[start : start + PIECES_A_ROW]
            first, last = seq + start, seq + start + len(row) - 1
            values = (run_id, first, last, orjson.dumps(row).decode())
            self._connection.execute(_COMPACT, values)
        return seq + len(pieces) - 1

    def _is_going(self, run_id: str) -> bool:
        going = self._connection.execute(_GOING, (run_id, self._worker_id))
        return going.fetchone() is not None

    def _trim(self, least: int, most: int) -> int:
        row_id = self._journal.rows_done(self._compacted, least, most)
        if row_id:
            self._connection.execute(_TRIM, (self._worker_id, row_id))
        return row_id

    def _note(self, trimmed: int) -> None:
        self._journal.note_compacted(self._compacted)
        if trimmed:
            self._journal.note_trimmed(trimmed)
