"""What a database has of a run, read past the application."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import psycopg

_ENTRIES = "SELECT seq, last_seq, entries FROM run_entries WHERE run_id = '{}' ORDER BY seq"
_WAITING = "SELECT entries FROM journal WHERE entries LIKE '%{}%'"


def stored_seqs(url: str, run_id: str) -> list[int]:
    """Return the numbers of all that is stored of a run, in the journal too, in order."""
    entries = _rows(url, _ENTRIES.format(run_id))
    found = {seq for first, last, _ in entries for seq in range(first, last + 1)}
    for (stored,) in _rows(url, _WAITING.format(run_id)):
        for one, first, pieces in json.loads(stored):
            if one == run_id:
                found |= set(range(first, first + len(pieces)))
    return sorted(found)


def _rows(url: str, query: str) -> list[Any]:
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as database:
            return database.execute(query).fetchall()
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()
