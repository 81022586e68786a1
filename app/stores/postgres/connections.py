"""The connections of the store's threads, each of one thread at a time.

SQLAlchemy's own pools wait for one another by green locks; this one never waits: there are as many
connections as there are threads, taken from a list and put back, which is one step each.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import orjson
import psycopg
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import Pool

from app.core.errors import StorageUnavailable
from app.stores.postgres.connection import ThreadConnection, connect
from app.stores.sql.driver import json_text

GRACE_S = 0.5  # the server, which knows more, says first that something takes too long
# What a thread that was stopped, or a machine that is gone, may hold up others for.
IDLE_S = 10
BEGIN = "BEGIN"
# More than one statement is to see the same moment.
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Unstorable(ValueError):
    """A value that PostgreSQL cannot hold, such as a text with a NUL in it."""


class _ListPool(Pool):
    """Makes a connection where none is free."""

    def __init__(self, creator: Callable[..., Any], **options: Any) -> None:
        super().__init__(creator, **options)
        self.free: list[Any] = []

    def _do_get(self) -> Any:
        try:
            return self.free.pop()
        except IndexError:
            return self._create_connection()

    def _do_return_conn(self, record: Any) -> None:
        self.free.append(record)

    def recreate(self) -> _ListPool:
        return _ListPool(
            self._creator, reset_on_return=None, _dispatch=self.dispatch, dialect=self._dialect
        )

    def dispose(self) -> None:
        with suppress(IndexError):
            while True:
                self.free.pop().close()


class Connections:
    """All but those of searches and of the worker's own. Errors are mapped: StorageUnavailable,
    Unstorable."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._of_thread = threading.local()
        self._setup = setup_for(timeout_s)
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=_ListPool,
            pool_reset_on_return=None,
            json_serializer=json_text,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # errors are logged; what a person said is not
        )
        event.listen(self._engine, "checkout", self._check_out)
        event.listen(self._engine, "begin", _begin)
        self._reads = self._engine.execution_options(tandem_begin=BEGIN_READING)
        # What SQLAlchemy does once it does behind a green lock: now, while nobody else comes.
        with self.reading():
            pass

    @property
    def patience_s(self) -> float:
        """How long a call of this thread may take."""
        patience_s: float = getattr(self._of_thread, "patience_s", self._timeout_s)
        return patience_s

    @patience_s.setter
    def patience_s(self, seconds: float) -> None:
        self._of_thread.patience_s = seconds

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write in one transaction."""
        with mapped_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read what one moment holds."""
        with mapped_errors(), self._reads.begin() as connection:
            yield connection

    @contextmanager
    def driver(self) -> Iterator[ThreadConnection]:
        """Use the driver's own connection, where each statement commits by itself."""
        with mapped_errors():
            pooled = self._engine.raw_connection()
            connection = cast(ThreadConnection, pooled.driver_connection)
            try:
                yield connection
            finally:
                if connection.closed:
                    pooled.invalidate()
                pooled.close()

    def close(self) -> None:
        """Let all connections go."""
        self._engine.dispose()

    def _connect(self) -> ThreadConnection:
        return connect(self._url, self.patience_s, self._setup, ThreadConnection)

    def _check_out(self, connection: ThreadConnection, record: Any, proxy: Any) -> None:
        # A new one that is ended already says so by its first statement.
        if record.info.get("used") and not connection.is_usable():
            raise DisconnectionError()
        record.info["used"] = True
        connection.deadline = time.monotonic() + self.patience_s + GRACE_S


@contextmanager
def all_or_nothing(connection: ThreadConnection) -> Iterator[None]:
    """Write in one transaction of the driver's. Raises psycopg.Error.

    What is not asked for its result goes on its way without waiting for one, so an error of it may
    come from a later statement, or from the end.
    """
    try:
        with connection.pipeline():
            connection.execute(BEGIN, prepare=True)
            yield
            connection.execute("COMMIT", prepare=True)
    except BaseException:
        with suppress(psycopg.Error):
            connection.rollback()
        raise


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise StorageUnavailable for what PostgreSQL refuses or does not answer, Unstorable for a
    value that it cannot hold."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, psycopg.DataError):
            raise Unstorable("PostgreSQL cannot hold a value of it") from error
        raise StorageUnavailable() from error


def setup_for(timeout_s: float) -> str:
    """Return what is said first on a connection whose calls may take that long."""
    wanted = {
        "statement_timeout": int(timeout_s * 1000),
        "idle_in_transaction_session_timeout": IDLE_S * 1000,
        "default_transaction_isolation": "'read committed'",
    }
    return "; ".join(f"SET {name} = {value}" for name, value in wanted.items())


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(options.get("tandem_begin", BEGIN))
