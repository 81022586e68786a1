"""How a run's end is written, in the transaction of the batch that brings it."""

from __future__ import annotations

import sqlite3

import orjson

from app.runs.records import RunEnd, RunRecord, text_parts
from app.stores.rows import usage_row

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


def end_run(
    connection: sqlite3.Connection,
    worker_id: str,
    record: RunRecord,
    end: RunEnd,
    reply: str,
    at: float,
) -> None:
    """Write the end of a run, its entries being there; nothing if it is not that worker's or has
    ended."""
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
