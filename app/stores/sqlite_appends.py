"""The hot path of the store: one batch of all runs' entries and ends, in one SQLite transaction.

On the driver's own connection, because this runs once a turn of the hub: about 10 us a piece. One
`json_each` statement writes the rows; `executemany` would give up the GIL at every one of them.
"""

from __future__ import annotations

import sqlite3

import orjson

from app.runs.interfaces import Batch, WorkerLost
from app.runs.records import RunEnd, RunRecord, text_parts
from app.stores.rows import entries_json, usage_row

_ALIVE = "SELECT 1 FROM workers WHERE id = ? AND lost_at IS NULL"
# Joined with runs: one whose session was deleted meanwhile leaves no orphans, and one that another
# worker has ended gets nothing after its end. CROSS JOIN keeps the order as it is written: left to
# itself SQLite looks through all runs under way for each row.
_INSERT = """
INSERT INTO run_entries (run_id, seq, last_seq, entries)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM json_each(?) CROSS JOIN runs ON runs.id = value ->> 0
WHERE runs.worker_id = ? AND runs.ended_at IS NULL
"""
_END_RUN = """
UPDATE runs SET status = ?, finish_reason = ?, error = ?, usage = ?, duration_s = ?, ttft_s = ?,
  provider = ?, model = ?, attempts = ?, cost = ?,
  last_seq = (SELECT max(last_seq) FROM run_entries WHERE run_id = runs.id), ended_at = ?
WHERE id = ? AND worker_id = ? AND ended_at IS NULL
"""
_END_MESSAGE = "UPDATE messages SET content = ?, status = ?, usage = ? WHERE id = ?"
_ADD_USAGE = """
INSERT INTO daily_usage
  (owner, day, provider, model, currency, runs, input_tokens, output_tokens, estimated_runs, cost)
VALUES (:owner, :day, :provider, :model, :currency, :runs, :input_tokens, :output_tokens,
  :estimated_runs, :cost)
ON CONFLICT DO UPDATE SET runs = runs + excluded.runs,
  input_tokens = input_tokens + excluded.input_tokens,
  output_tokens = output_tokens + excluded.output_tokens,
  estimated_runs = estimated_runs + excluded.estimated_runs, cost = cost + excluded.cost
"""
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
    attempts = orjson.dumps(list(end.attempts)).decode() if end.attempts else None
    cost = orjson.dumps(end.cost.stored()).decode() if end.cost else None
    how = (end.status, end.finish_reason, error, usage, end.duration_s, end.ttft_s)
    who = (end.provider or record.provider, end.model or record.model, attempts, cost)
    updated = connection.execute(_END_RUN, (*how, *who, at, record.id, worker_id))
    if updated.rowcount:
        connection.execute(_ADD_USAGE, usage_row(record.owner, *who[:2], end, at))
        content = orjson.dumps(text_parts(reply)).decode()
        connection.execute(_END_MESSAGE, (content, end.status, usage, record.message_id))
        connection.execute(_TOUCH_SESSION, (at, record.owner, record.session_id))
