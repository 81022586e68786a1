"""The two connections of the SQL store, and their transactions."""

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

from app.runs.errors import StorageUnavailable
from app.stores.sqlite_appends import SqliteAppends
from app.stores.sqlite_connections import begin, open_hub_connection, prepare


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
