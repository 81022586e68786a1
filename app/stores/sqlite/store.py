"""The store in a SQLite file, in WAL mode.

Three connections. One belongs to the store's thread, one to searches; one to the hub, which begins
turns and commits what runs have new on it (the methods that end in `_now`) without ever waiting for
a lock.
docs/architecture.md tells why.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import Connection, insert, select, update

from app.core.entries import Entry
from app.core.messages import Message
from app.core.runs import RunRecord, Turn
from app.core.sessions import ChatSession, Page
from app.core.store import Batch
from app.core.tools import Answered, Reply, Why
from app.core.usage import CostOf, no_cost
from app.stores.moving.sql import SqlMoving
from app.stores.sql import queries as queries
from app.stores.sql import waiting as waiting
from app.stores.sql.attachments import SqlAttachments
from app.stores.sql.driver import OnSqlAlchemy
from app.stores.sql.entries import read_entries
from app.stores.sql.housekeeping import delete_old, fold, take_over
from app.stores.sql.rows import run_from
from app.stores.sql.sessions import SqlSessions
from app.stores.sql.tables import runs, workers
from app.stores.sql.turns import TooLong, begin_turn
from app.stores.sqlite.appends import SqliteAppends
from app.stores.sqlite.connections import ThreadConnection, all_or_nothing, open_hub_connection
from app.stores.sqlite.searches import SqliteSearches


class SqliteStore(SqlSessions, SqlAttachments, SqlMoving):
    """A file of SQLite. All methods may block but those that end in `_now`."""

    name = "sqlite"
    threads = 1  # it has one writer

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

    def going_of(self, owner: str, session_id: str | None = None) -> list[RunRecord]:
        with self._reading() as connection:
            return queries.going_of(connection, owner, session_id)

    def answer(
        self,
        owner: str,
        run_id: str,
        replies: Sequence[Reply],
        worker_id: str,
        now: float,
        caller: str = "",
        most_running: int = 0,
    ) -> Answered:
        with self._transaction() as connection:
            driver = OnSqlAlchemy(connection)
            whose = (owner, run_id, replies, worker_id, now, caller, most_running)
            done = waiting.answer(driver, *whose)
            if done.branch is None:
                return done
            return done._replace(branch=queries.branch_before(connection, done.record))

    def end_waiting(self, owner: str, run_id: str, why: Why, now: float) -> list[Entry]:
        with self._transaction() as connection:
            return waiting.end_waiting(OnSqlAlchemy(connection), owner, run_id, why, now)

    def expired(self, now: float, limit: int) -> list[RunRecord]:
        with self._reading() as connection:
            return waiting.expired(OnSqlAlchemy(connection), now, limit)

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        with self._reading() as connection:
            return queries.find_key(connection, owner, key, since)

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

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        with self._reading() as connection:
            row = connection.execute(
                select(runs).where(runs.c.id == run_id, runs.c.owner == owner)
            ).one_or_none()
        return run_from(row._asdict()) if row else None

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        with self._reading() as connection:
            return read_entries(connection, run_id, after)

    # --- the file and its workers ---------------------------------------------------------------

    def register_worker(self, worker_id: str, now: float) -> None:
        with self._transaction() as connection:
            connection.execute(insert(workers), {"id": worker_id, "started_at": now})

    def other_workers(self, worker_id: str) -> list[str]:
        with self._reading() as connection:
            others = select(workers.c.id).where(workers.c.lost_at.is_(None))
            return list(connection.execute(others.where(workers.c.id != worker_id)).scalars())

    def take_over(
        self, worker_id: str, error: dict[str, object], now: float, cost_of: CostOf = no_cost
    ) -> list[str]:
        with self._transaction() as connection:
            return take_over(connection, worker_id, error, now, cost_of)

    def fold(self, ended_before: float, limit: int) -> int:
        with self._transaction() as connection:
            return fold(connection, ended_before, limit)

    def delete_old(self, listed_before: float | None, unlisted_before: float) -> int:
        with self._transaction() as connection:
            return delete_old(connection, listed_before, unlisted_before)

    def set_patience(self, seconds: float) -> None:
        with self._thread.driver() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def probe(self) -> None:
        with self._transaction() as connection:
            connection.execute(update(workers).values(lost_at=workers.c.lost_at))

    def tidy(self, now: float) -> None:
        with self._thread.driver() as connection:
            self._appends.compact(connection, now)
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
