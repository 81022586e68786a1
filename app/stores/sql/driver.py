"""Plain SQL on any connection: the statements of starts and ends, which hubs run too.

They name their parameters (`:name`), which SQLite's driver reads as it is; `OnSqlAlchemy` runs them
in a transaction of SQLAlchemy's. Values are those of the columns, JSON as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Cursor(Protocol):
    """What a statement has brought."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchmany(self, size: int) -> Sequence[Any]:
        """Return at most so many of the next rows."""


class Driver(Protocol):
    """A connection inside a transaction."""

    def execute(self, sql: str, values: Mapping[str, Any], /) -> Cursor:
        """Run a statement."""


class OnSqlAlchemy:
    """A Driver on a connection of SQLAlchemy's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Mapping[str, Any], /) -> Cursor:
        cursor: Cursor = self._connection.execute(text(sql), dict(values))
        return cursor


def upsert(connection: Connection, table: Table) -> Any:
    """Return an INSERT of the connection's engine, which can say what to do on a conflict."""
    return _INSERTS[connection.dialect.name](table)


def insert_into(table: Table) -> str:
    """Return the statement that inserts a row of all columns."""
    names = [column.name for column in table.columns]
    values = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})"


def dumped(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its lists and objects as JSON."""
    return {
        name: json_text(value) if isinstance(value, list | dict | tuple) else value
        for name, value in row.items()
    }


def json_text(value: Any) -> str:
    """Return JSON as it is stored: UTF-8, so that it can be searched."""
    return orjson.dumps(value).decode()
