"""The connections to a SQLite file, in WAL mode: one of the store's thread, one of the hub, each
with its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from app.core.errors import StorageUnavailable
from app.stores.sql.driver import json_text


class ThreadConnection:
    """The connection that one thread at a time uses, the runtime's store thread; it may wait."""

    def __init__(self, path: str, busy_timeout_s: float) -> None:
        self._engine = create_engine(
            URL.create("sqlite", database=path),
            poolclass=StaticPool,
            json_serializer=json_text,
            hide_parameters=True,  # errors are logged; what a person said is not
            connect_args={"check_same_thread": False, "timeout": busy_timeout_s},
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        self._writes = self._engine.execution_options(tandem_write=True)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write in one transaction. Raises StorageUnavailable."""
        with _mapped_errors(), self._writes.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read what one moment holds. Raises StorageUnavailable."""
        with _mapped_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def driver(self) -> Iterator[sqlite3.Connection]:
        """Use the driver's own connection. Raises StorageUnavailable."""
        pooled = self._engine.raw_connection()
        try:
            yield cast(sqlite3.Connection, pooled.driver_connection)
        except sqlite3.Error as error:
            raise StorageUnavailable() from error
        finally:
            pooled.close()

    def close(self) -> None:
        """Let the file go."""
        self._engine.dispose()


def open_hub_connection(path: str) -> sqlite3.Connection:
    """Return the connection that the hub commits with: it never waits for a lock."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    _prepare(connection, None)
    return connection


@contextmanager
def all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
    """Write in one transaction of the driver's. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: Any, _: Any) -> None:
    """Set a new connection up."""
    connection.isolation_level = None  # the driver's own BEGIN is deferred; see `_begin`
    connection.execute("PRAGMA journal_mode = WAL")
    # Survives any death of the process; FULL, which survives a power cut too, costs ten times as
    # much.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # A checkpoint inside a commit holds up every run for milliseconds; the store's thread does it.
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at its start: a transaction that turns into a writer may be refused
    # half-way.
    writes = connection.get_execution_options().get("tandem_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StorageUnavailable() from error
