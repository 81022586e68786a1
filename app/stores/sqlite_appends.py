"""The hot path of the store: one batch of all runs' entries and ends, in one SQLite transaction.

On the driver's own connection, because this runs once a turn of the hub: about 10 us a piece. One
`json_each` statement writes the rows; `executemany` would give up the GIL at every one of them.
"""

from __future__ import annotations

import sqlite3

import orjson

from app.runs.interfaces import Batch, WorkerLost
from app.runs.records import RunEnd, RunRecord, text_parts
from app.stores.rows import entries_json

_ALIVE = "SELECT 1 FROM workers WHERE id = ? AND lost_at IS NULL"
# Joined with runs: one whose session was deleted meanwhile leaves no orphans, and one that another
# worker has ended gets nothing after its end.
_INSERT = """
INSERT INTO run_entries (run_id, seq, last_seq, entries)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM json_each(?) JOIN runs ON runs.id = value ->> 0
WHERE runs.worker_id = ? AND runs.ended_at IS NULL
"""
_END_RUN = """
UPDATE runs SET status = ?, finish_reason = ?, error = ?, usage = ?, duration_s = ?, ttft_s = ?,
  last_seq = (SELECT max(last_seq) FROM run_entries WHERE run_id = runs.id), ended_at = ?
WHERE id = ? AND worker_id = ? AND ended_at IS NULL
"""
_END_MESSAGE = "UPDATE messages SET content = ?, status = ?, usage = ? WHERE id = ?"
_TOUCH_SESSION = "UPDATE sessions SET updated_at = ? WHERE owner = ? AND id = ?"


def append_batch(connection: sqlite3.Connection, worker_id: str, batch: Batch) -> None:
    """Write the batch in one transaction, or nothing. Raises WorkerLost, sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute(_ALIVE, (worker_id,)).fetchone() is None:
            raise WorkerLost(worker_id)
        rows = [
            [run_id, entries[0].seq, entries[-1].seq, entries_json(entries)]
            for run_id, entries in batch.entries
        ]
        connection.execute(_INSERT, (orjson.dumps(rows).decode(), worker_id))
        for one in batch.ends:
            _end_run(connection, worker_id, *one)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _end_run(
    connection: sqlite3.Connection,
    worker_id: str,
    record: RunRecord,
    end: RunEnd,
    reply: str,
    at: float,
) -> None:
    usage = orjson.dumps(end.usage.to_json()).decode()
    error = orjson.dumps(dict(end.error)).decode() if end.error else None
    how = (end.status, end.finish_reason, error, usage, end.duration_s, end.ttft_s, at)
    updated = connection.execute(_END_RUN, (*how, record.id, worker_id))
    if updated.rowcount:
        content = orjson.dumps(text_parts(reply)).decode()
        connection.execute(_END_MESSAGE, (content, end.status, usage, record.message_id))
        connection.execute(_TOUCH_SESSION, (at, record.owner, record.session_id))
