"""The plain SQL of starts and ends on psycopg."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg

from app.stores.postgres.connection import ThreadConnection
from app.stores.sql.driver import Cursor

_NAME = re.compile(r"(?<!:):(\w+)")


class PsycopgDriver:
    """A Driver on a connection of psycopg's, inside `all_or_nothing`. Statements are prepared."""

    def __init__(self, connection: ThreadConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Mapping[str, Any], /) -> Cursor:
        """Run a statement whose parameters are named `:name`."""
        cursor = self._connection.execute(translated(sql), values, prepare=True)
        return _Result(self._connection, cursor)


class _Result:
    """What a statement has brought, which is waited for when it is asked for."""

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: ThreadConnection, cursor: psycopg.Cursor[Any]) -> None:
        self._connection = connection
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        if self._cursor.rowcount < 0:
            with self._connection.pipeline() as going:  # the one that is open
                going.sync()
        return self._cursor.rowcount

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchmany(self, size: int) -> Sequence[Any]:
        return self._cursor.fetchmany(size)


@lru_cache(maxsize=200)
def translated(sql: str) -> str:
    """Return the statement with psycopg's way to name parameters."""
    return _NAME.sub(r"%(\1)s", sql.replace("%", "%%"))
