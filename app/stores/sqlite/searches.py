"""Searches in a SQLite file: on a connection of their own, which reads beside all others, from a
thread of its own, and given up between two steps.

In plain SQL, since SQLAlchemy's locks are those of the green runtimes, and no other thread's.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable

import orjson

from app.core.errors import StorageUnavailable
from app.core.messages import searchable
from app.core.sessions import ChatSession, Page
from app.stores.sql.rows import session_from
from app.stores.sql.tables import sessions

STEPS = 200  # of SQLite's machine, between two looks at whether the search is given up
BUSY_TIMEOUT_S = 5.0  # a reader waits only while the file's journal is recovered
_COLUMNS = [column.name for column in sessions.columns]
# All that is said is looked through: there is no index of words, and SQLite's own LIKE knows the
# case of ASCII only.
_SEARCH = f"""
SELECT {", ".join(_COLUMNS)},
  (SELECT id FROM runs WHERE owner = s.owner AND session_id = s.id AND ended_at IS NULL),
  (SELECT count(*) FROM messages WHERE owner = s.owner AND session_id = s.id)
FROM sessions AS s
WHERE owner = :owner AND listed AND (updated_at, id) < (:before_at, :before_id)
  AND (says(title) OR EXISTS (
    SELECT 1 FROM messages AS m
    WHERE m.owner = s.owner AND m.session_id = s.id AND has_said(m.content)
  ))
ORDER BY updated_at DESC, id DESC LIMIT :limit
"""


class SqliteSearches:
    """One search at a time."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA query_only = ON")

    def search(self, owner: str, page: Page, given_up: Callable[[], bool]) -> list[ChatSession]:
        """Return the page; an empty one of a search that is given up. Raises StorageUnavailable."""
        says, has_said = _matchers(searchable(page.query))
        connection = self._connection
        before_at, before_id = page.before or (math.inf, "")
        values = {"owner": owner, "before_at": before_at, "before_id": before_id}
        try:
            connection.create_function("says", 1, says, deterministic=True)
            connection.create_function("has_said", 1, has_said, deterministic=True)
            connection.set_progress_handler(given_up, STEPS)
            found = connection.execute(_SEARCH, {**values, "limit": page.limit or -1})
            names = (*_COLUMNS, "active_run_id", "message_count")
            rows = [dict(zip(names, row)) for row in found]
            return [] if given_up() else [session_from({**row, "listed": True}) for row in rows]
        except sqlite3.Error as error:
            if given_up():
                return []
            raise StorageUnavailable() from error

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()


def _matchers(wanted: str) -> tuple[Callable[[str], bool], Callable[[str], bool]]:
    """Return what tells whether a text says it, and whether a message's content does, JSON."""
    is_plain = orjson.dumps(wanted)[1:-1] == wanted.encode()  # JSON escapes nothing of it

    def says(text: str) -> bool:
        return wanted in searchable(text)

    def has_said(content: str) -> bool:
        # Of ASCII alone this takes a third of the time.
        if is_plain and content.isascii() and wanted not in content.lower():
            return False
        return any(says(part.get("text", "")) for part in orjson.loads(content))

    return says, has_said
