"""A PostgreSQL database as one that is set."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager

from app.runs.ports import Runtime
from app.stores.postgres import migrating as migrating
from app.stores.postgres.address import shown
from app.stores.postgres.connection import ThreadConnection, connect
from app.stores.postgres.connections import mapped_errors
from app.stores.postgres.locks import PostgresLocks
from app.stores.postgres.store import PostgresStore

CONNECT_S = 2.0
_WHICH = """
SELECT datname, oid, 'journal'::regclass::oid, 'runs'::regclass::oid, 'sessions'::regclass::oid
FROM pg_database WHERE datname = current_database()
"""
_IMPORT_ALONE = "SELECT pg_try_advisory_lock(hashtextextended('tandem import', 0))"


class PostgresDatabase:
    """Implements `build.Database` and `build.Kept`."""

    threads = PostgresStore.threads
    windows: str | None = None
    attachments = "instance/attachments"  # there is no file that they could lie beside

    def __init__(self, url: str) -> None:
        self._url = url
        self.shown = shown(url)

    def migrate(self) -> None:
        migrating.migrate(self._url)

    def is_current(self) -> bool:
        return migrating.is_current(self._url)

    def is_there(self) -> bool:
        return migrating.is_there(self._url)

    def open(self, timeout_s: float, runtime: Runtime | None = None) -> PostgresStore:
        return PostgresStore(self._url, timeout_s, runtime)

    def make_locks(self, runtime: Runtime) -> PostgresLocks:
        return PostgresLocks(self._url, runtime)

    def group(self) -> str:
        # Not by the address: others may write it otherwise. Replicas have the same numbers.
        with mapped_errors():
            connection = self.connect()
            try:
                known = connection.execute(_WHICH).fetchone()
            finally:
                connection.close()
        return hashlib.sha256(repr(known).encode()).hexdigest()[:16]

    def connect(self) -> ThreadConnection:
        """Return a connection for who listens. Raises psycopg.OperationalError."""
        connection = connect(self._url, CONNECT_S, "", ThreadConnection)
        connection.deadline = math.inf
        return connection

    @contextmanager
    def importing(self) -> Iterator[bool]:
        with mapped_errors():
            connection = connect(self._url, 0.0, "", ThreadConnection)
            connection.deadline = math.inf
            found = connection.execute(_IMPORT_ALONE).fetchone()
        try:
            yield bool(found and found[0])
        finally:
            connection.close()
