"""What the tests of the SQL store's journal share: entries, appends of one each, counts of rows."""

from __future__ import annotations

import sqlite3

from app.core.entries import Entry
from app.core.store import Batch
from app.stores.memory import MemoryStore
from app.stores.sqlite.store import SqliteStore
from tests.support.clock import START
from tests.support.samples import turn_of

WORKER = "worker"


def pieces(count: int, first: int = 1, step_s: float = 0.0) -> list[Entry]:
    """Return entries that came `step_s` after one another."""
    numbers = range(first, first + count)
    return [Entry(seq, "text", f"{seq} ", START + seq * step_s) for seq in numbers]


def append_each(
    store: SqliteStore | MemoryStore, entries: list[Entry], run_id: str = "run-1"
) -> None:
    """Commit one entry after another."""
    for entry in entries:
        assert store.append_now(WORKER, Batch([(run_id, [entry])]))


def count(raw: sqlite3.Connection, table: str) -> int:
    """Return how many rows there are."""
    return int(raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def begin(store: SqliteStore | MemoryStore, *run_ids: str, worker_id: str = WORKER) -> None:
    """Begin runs, each in a session of its name."""
    for run_id in run_ids:
        store.begin_turn(turn_of(run_id, session_id=run_id, worker_id=worker_id))
