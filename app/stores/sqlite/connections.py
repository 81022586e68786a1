"""The two connections of the SQLite store, how they are made, and their transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import orjson
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from app.core.errors import StorageUnavailable
from app.stores.sqlite.appends import SqliteAppends


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


class SqlBase:
    """A file of SQLite. One connection belongs to the store's thread, one to the hub."""

    def __init__(self, path: str, busy_timeout_s: float = 5) -> None:
        self._path = path
        url = URL.create("sqlite", database=path)
        # One connection, used by one thread at a time: the runtime's store thread.
        self._engine = create_engine(
            url,
            poolclass=StaticPool,
            json_serializer=_json,  # as the hot path writes it: text as UTF-8, which is searched
            hide_parameters=True,  # errors are logged; what a person said is not
            connect_args={"check_same_thread": False, "timeout": busy_timeout_s},
        )
        event.listen(self._engine, "connect", prepare)
        event.listen(self._engine, "begin", begin)
        self._writes = self._engine.execution_options(tandem_write=True)
        self._hub = open_hub_connection(path)
        # Only ever tried: in the hub nobody may wait. Without a hub (threading) who does not get it
        # goes by way of the other connection.
        self._hub_lock = threading.Lock()
        self._appends = SqliteAppends()  # of both

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with _mapped_errors(), self._writes.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _mapped_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _driver(self) -> Iterator[sqlite3.Connection]:
        """The driver's own connection of the store's thread."""
        pooled = self._engine.raw_connection()
        try:
            yield cast(sqlite3.Connection, pooled.driver_connection)
        except sqlite3.Error as error:
            raise StorageUnavailable() from error
        finally:
            pooled.close()

    def close(self) -> None:
        """Let the file go."""
        self._hub.close()
        self._engine.dispose()


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StorageUnavailable() from error
