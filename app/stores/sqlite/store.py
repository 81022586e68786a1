"""The store in a SQLite file, in WAL mode.

Three connections. One belongs to the store's thread, one to searches; one to the hub, which begins
turns and commits what runs have new on it (the methods that end in `_now`) without ever waiting for
a lock.
docs/architecture.md tells why.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection

from app.core.messages import Message
from app.core.runs import Turn
from app.core.sessions import ChatSession, Page
from app.core.store import Batch
from app.stores.sql.turns import TooLong, begin_turn
from app.stores.sql_store import SqlStore
from app.stores.sqlite.appends import SqliteAppends
from app.stores.sqlite.connections import ThreadConnection, all_or_nothing, open_hub_connection
from app.stores.sqlite.searches import SqliteSearches


class SqliteStore(SqlStore):
    """A file of SQLite. All methods may block but those that end in `_now`."""

    name = "sqlite"
    threads = 1  # it has one writer
    gathers = False  # a commit is a few microseconds, in the hub

    def __init__(self, path: str, busy_timeout_s: float = 5) -> None:
        self._thread = ThreadConnection(path, busy_timeout_s)
        self._hub = open_hub_connection(path)
        self._searches = SqliteSearches(path)
        # Only ever tried: in the hub nobody may wait. Without a hub (threading) who does not get it
        # goes by way of the other connection.
        self._hub_lock = threading.Lock()
        self._appends = SqliteAppends()  # of both

    def _transaction(self) -> AbstractContextManager[Connection]:
        return self._thread.transaction()

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._thread.reading()

    def close(self) -> None:
        self._hub.close()
        self._thread.close()
        self._searches.close()

    def search_sessions(
        self, owner: str, page: Page, given_up: Callable[[], bool]
    ) -> list[ChatSession]:
        return self._searches.search(owner, page, given_up)

    # --- runs -----------------------------------------------------------------------------------

    def begin_now(self, turn: Turn) -> list[Message] | None:
        if not self._hub_lock.acquire(blocking=False):
            return None
        try:
            with all_or_nothing(self._hub):
                return begin_turn(self._hub, turn, in_hub=True)
        except (TooLong, sqlite3.Error):
            return None
        finally:
            self._hub_lock.release()

    def begin_turn(self, turn: Turn) -> list[Message]:
        with self._thread.driver() as connection, all_or_nothing(connection):
            return begin_turn(connection, turn)

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        if not self._hub_lock.acquire(blocking=False):
            return False
        try:
            self._appends.append(self._hub, worker_id, batch)
        except sqlite3.Error:
            return False
        finally:
            self._hub_lock.release()
        return True

    def append(self, worker_id: str, batch: Batch) -> None:
        with self._thread.driver() as connection:
            self._appends.append(connection, worker_id, batch)

    def set_patience(self, seconds: float) -> None:
        with self._thread.driver() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def tidy(self, now: float) -> None:
        with self._thread.driver() as connection:
            self._appends.compact(connection, now)
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
