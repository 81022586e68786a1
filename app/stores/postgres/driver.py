"""The plain SQL of starts and ends on psycopg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from app.stores.postgres.connection import ThreadConnection
from app.stores.sql.driver import Cursor

_NAME = re.compile(r"(?<!:):(\w+)")


class PsycopgDriver:
    """A Driver on a connection of psycopg's, inside a transaction. Statements are prepared."""

    def __init__(self, connection: ThreadConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Mapping[str, Any], /) -> Cursor:
        """Run a statement whose parameters are named `:name`."""
        return self._connection.execute(translated(sql), values, prepare=True)


@lru_cache(maxsize=200)
def translated(sql: str) -> str:
    """Return the statement with psycopg's way to name parameters."""
    return _NAME.sub(r"%(\1)s", sql.replace("%", "%%"))
