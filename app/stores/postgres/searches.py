"""Searches in PostgreSQL: on a connection of their own, which reads beside all others, in steps,
and given up between two of them, or while the server looks for more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import orjson
from psycopg.abc import PQGen

from app.core.messages import searchable
from app.core.sessions import ChatSession, Page
from app.stores.postgres.connection import ThreadConnection, connect
from app.stores.postgres.connections import BEGIN_READING, IDLE_S, mapped_errors
from app.stores.sql.rows import session_from
from app.stores.sql.tables import sessions

T = TypeVar("T")
ROWS_A_STEP = 200
SEES_CLIENTS_GO = 140000  # PostgreSQL 14
_COLUMNS = [column.name for column in sessions.columns]
_NAMES = ", ".join(f"s.{name}" for name in _COLUMNS)
# All that is said is looked through: there is no index of words, and who folds letters is
# `searchable`. Texts of ASCII alone are left out here where they cannot say it; {says} and
# {has_said} tell.
_SEARCH = f"""
DECLARE tandem_search NO SCROLL CURSOR FOR
SELECT {_NAMES}, m.content
FROM sessions AS s LEFT JOIN LATERAL (
  SELECT content::text FROM messages
  WHERE owner = s.owner AND session_id = s.id AND {{has_said}}
) AS m ON TRUE
WHERE owner = %(owner)s AND listed AND (updated_at, id) < (%(before_at)s, %(before_id)s)
  AND (m.content IS NOT NULL OR {{says}})
ORDER BY updated_at DESC, id DESC
"""
_MAY_SAY = "(strpos(lower({0}), %(wanted)s) > 0 OR octet_length({0}) > char_length({0}))"
_FETCH = f"FETCH {ROWS_A_STEP} FROM tandem_search"
_FIGURES = """
SELECT id, (SELECT id FROM runs WHERE owner = s.owner AND session_id = s.id AND ended_at IS NULL),
  (SELECT count(*) FROM messages WHERE owner = s.owner AND session_id = s.id)
FROM sessions AS s WHERE owner = %s AND id = ANY(%s)
"""


class GivenUp(Exception):
    """Nobody waits for what is found any more."""


class SearchConnection(ThreadConnection):
    """Looks now and then whether what it waits for is given up."""

    given_up: Callable[[], bool] = staticmethod(lambda: False)

    def wait(self, gen: PQGen[T], interval: float = 0.0, timeout: float | None = None) -> T:
        """Wait as the others do. Raises GivenUp, the connection being closed then."""
        return super().wait(self._watched(gen), interval, timeout)

    def _watched(self, gen: PQGen[T]) -> PQGen[T]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and self.given_up():
                    self.pgconn.finish()
                    raise GivenUp()
                wanted = gen.send(ready)
        except StopIteration as done:
            found: T = done.value
            return found


class PostgresSearches:
    """One search at a time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._connection: SearchConnection | None = None

    def search(self, owner: str, page: Page, given_up: Callable[[], bool]) -> list[ChatSession]:
        """Return the page; an empty one of a search that is given up. Raises StorageUnavailable."""
        with mapped_errors():
            connection = self._connected()
            connection.given_up = given_up
            try:
                connection.execute(BEGIN_READING)
                found = _found(connection, owner, page, given_up)
                connection.execute("COMMIT")
                return found
            except GivenUp:
                return []
            finally:
                connection.given_up = lambda: False
                if not connection.closed:
                    connection.rollback()

    def _connected(self) -> SearchConnection:
        if self._connection is None or not self._connection.is_usable():
            self.close()
            self._connection = connect(self._url, self._timeout_s, _SETUP, SearchConnection)
            self._connection.deadline = math.inf
            if self._connection.info.server_version >= SEES_CLIENTS_GO:
                self._connection.execute("SET client_connection_check_interval = 1000")
        return self._connection

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()


_SETUP = f"SET idle_in_transaction_session_timeout = {IDLE_S * 1000}"


def _found(
    connection: ThreadConnection, owner: str, page: Page, given_up: Callable[[], bool]
) -> list[ChatSession]:
    wanted = searchable(page.query)
    before_at, before_id = page.before or (math.inf, "")
    values = {"owner": owner, "before_at": before_at, "before_id": before_id}
    connection.execute(_statement(wanted), {**values, "wanted": wanted})
    rows: dict[str, dict[str, Any]] = {}
    passed_over = ""
    for *columns, content in _steps(connection, given_up):
        row = dict(zip(_COLUMNS, columns))
        if row["id"] in rows:
            continue
        is_new = row["id"] != passed_over
        if page.limit and len(rows) == page.limit and is_new:
            break
        passed_over = row["id"]
        if is_new and wanted in searchable(row["title"]) or _has_said(content, wanted):
            rows[row["id"]] = row
    figures = connection.execute(_FIGURES, (owner, list(rows))).fetchall()
    for session_id, run_id, count in figures:
        rows[session_id].update(active_run_id=run_id, message_count=count)
    return [session_from(row) for row in rows.values()]


def _statement(wanted: str) -> Any:
    if orjson.dumps(wanted)[1:-1] == wanted.encode() and wanted.isascii():
        return _SEARCH.format(
            has_said=_MAY_SAY.format("content::text"), says=_MAY_SAY.format("title")
        )
    return _SEARCH.format(has_said="TRUE", says="TRUE")


def _steps(connection: ThreadConnection, given_up: Callable[[], bool]) -> Iterator[Any]:
    while True:
        if given_up():
            raise GivenUp()
        rows = connection.execute(_FETCH, prepare=False).fetchall()
        yield from rows
        if len(rows) < ROWS_A_STEP:
            return


def _has_said(content: str | None, wanted: str) -> bool:
    if content is None:
        return False
    return any(wanted in searchable(part.get("text", "")) for part in orjson.loads(content))
