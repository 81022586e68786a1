"""How connections to the SQLite file are made: in WAL mode, with transactions as we want them."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson
from sqlalchemy import Connection


def open_hub_connection(path: str) -> sqlite3.Connection:
    """Return the connection that the hub commits with: it never waits for a lock."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    prepare(connection, None)
    return connection


def prepare(connection: Any, _: Any) -> None:
    """Set a new connection up."""
    connection.isolation_level = None  # the driver's own BEGIN is deferred; see `begin`
    connection.execute("PRAGMA journal_mode = WAL")
    # Survives any death of the process; FULL, which survives a power cut too, costs ten times as
    # much.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # A checkpoint inside a commit holds up every run for milliseconds; the store's thread does it.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.create_function("contains", 2, _contains, deterministic=True)
    connection.create_function("contains_text", 2, _contains_text, deterministic=True)


def _contains(text: str, query: str) -> bool:
    return query.casefold() in text.casefold()


def _contains_text(content: str, query: str) -> bool:
    """Whether a message's content, a JSON list of parts, has the text."""
    return any(_contains(part.get("text", ""), query) for part in orjson.loads(content))


def begin(connection: Connection) -> None:
    # A writer takes the lock at its start: a transaction that turns into a writer may be refused
    # half-way.
    writes = connection.get_execution_options().get("tandem_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
