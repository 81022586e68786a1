"""The SQL store: SQLAlchemy Core on SQLite in WAL mode.

Two connections: one belongs to the store's thread (all calls but `append_now`), one to the hub,
which commits what runs have new without ever waiting for a lock. docs/architecture.md tells why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import (
    URL,
    Connection,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from app.chats.messages import branch
from app.runs.errors import SessionBusy, StorageUnavailable
from app.runs.interfaces import Batch
from app.runs.records import ChatSession, Message, RunRecord, Turn
from app.runs.run_log import Entry
from app.stores.rows import (
    entries_from,
    message_from,
    message_row,
    run_from,
    run_row,
    session_from,
    session_row,
)
from app.stores.schema import messages, run_entries, runs, sessions, workers
from app.stores.sqlite_appends import append_batch

_ACTIVE_RUN = (
    select(runs.c.id)
    .where(runs.c.owner == sessions.c.owner, runs.c.session_id == sessions.c.id)
    .where(runs.c.ended_at.is_(None))
    .scalar_subquery()
    .label("active_run_id")
)
_MESSAGE_COUNT = (
    select(func.count())
    .select_from(messages)
    .where(messages.c.owner == sessions.c.owner, messages.c.session_id == sessions.c.id)
    .scalar_subquery()
    .label("message_count")
)


class SqlStore:
    """RunStore and SessionStore in SQLite. All methods but `append_now` may block."""

    name = "sqlite"

    def __init__(self, path: str, busy_timeout_s: float = 5) -> None:
        self._path = path
        url = URL.create("sqlite", database=path)
        # One connection, used by one thread at a time: the runtime's store thread.
        self._engine = create_engine(
            url,
            poolclass=StaticPool,
            hide_parameters=True,  # errors are logged; what a person said is not
            connect_args={"check_same_thread": False, "timeout": busy_timeout_s},
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        self._writes = self._engine.execution_options(tandem_write=True)
        self._hub = self._open_hub_connection()

    def _open_hub_connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        _set_pragmas(connection)
        # A checkpoint inside a commit holds up every run for milliseconds; the store's thread does
        # it.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        return connection

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

    # --- runs -----------------------------------------------------------------------------------

    def begin_turn(self, turn: Turn) -> list[Message]:
        """Store a turn, return the branch the model is to answer. Raises SessionBusy."""
        wanted = turn.session
        key = (sessions.c.owner == wanted.owner) & (sessions.c.id == wanted.id)
        with self._transaction() as connection:
            connection.execute(upsert(sessions).on_conflict_do_nothing(), session_row(wanted))
            stored = connection.execute(
                select(sessions.c.leaf_id, sessions.c.title, _ACTIVE_RUN).where(key)
            ).one()
            if stored.active_run_id is not None:
                raise SessionBusy(run_id=stored.active_run_id)
            parent, rows = stored.leaf_id, []
            for message in (*turn.messages, turn.reply):
                rows.append(message_row(wanted.owner, wanted.id, message, parent))
                parent = message.id
            connection.execute(insert(messages), rows)
            connection.execute(insert(runs), run_row(turn.run))
            connection.execute(
                update(sessions)
                .where(key)
                .values(
                    leaf_id=parent,
                    updated_at=turn.run.created_at,
                    title=stored.title or wanted.title,
                )
            )
            return _read_branch(connection, wanted.owner, wanted.id, parent)[:-1]

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        """Store the batch unless another connection is writing. Raises WorkerLost."""
        try:
            append_batch(self._hub, worker_id, batch)
        except sqlite3.Error:
            return False
        return True

    def append(self, worker_id: str, batch: Batch) -> None:
        """Store the batch; may block. Raises WorkerLost, StorageUnavailable."""
        with self._driver() as connection:
            append_batch(connection, worker_id, batch)

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        """Return the record, or None."""
        with self._reading() as connection:
            row = connection.execute(
                select(runs).where(runs.c.id == run_id, runs.c.owner == owner)
            ).one_or_none()
        return run_from(row._asdict()) if row else None

    def read_entries(self, run_id: str) -> list[Entry]:
        """Return all stored entries of a run, in order."""
        with self._reading() as connection:
            rows = connection.execute(
                select(run_entries.c.seq, run_entries.c.entries)
                .where(run_entries.c.run_id == run_id)
                .order_by(run_entries.c.seq)
            ).all()
        return [entry for row in rows for entry in entries_from(row.seq, row.entries)]

    # --- sessions -------------------------------------------------------------------------------

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        """Store the session unless it is there; return what is stored."""
        with self._transaction() as connection:
            connection.execute(upsert(sessions).on_conflict_do_nothing(), session_row(chat_session))
            found = _find_session(connection, chat_session.owner, chat_session.id)
        assert found is not None
        return found

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        """Return the record, or None."""
        with self._reading() as connection:
            return _find_session(connection, owner, session_id)

    def list_sessions(self, owner: str) -> list[ChatSession]:
        """Return the owner's listed sessions, newest first."""
        with self._reading() as connection:
            rows = connection.execute(
                select(sessions, _ACTIVE_RUN, _MESSAGE_COUNT)
                .where(sessions.c.owner == owner, sessions.c.listed)
                .order_by(sessions.c.updated_at.desc())
            ).all()
        return [session_from(row._asdict()) for row in rows]

    def delete_session(self, owner: str, session_id: str) -> bool:
        """Delete the session with all its messages and runs; False if it was not there."""
        with self._transaction() as connection:
            deleted = connection.execute(
                delete(sessions).where(sessions.c.owner == owner, sessions.c.id == session_id)
            )
            return deleted.rowcount > 0

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        """Return the branch in use, oldest first."""
        with self._reading() as connection:
            found = _find_session(connection, owner, session_id)
            if found is None:
                return []
            return _read_branch(connection, owner, session_id, found.leaf_id)

    def count_sessions(self) -> int:
        """Return how many sessions are stored."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(sessions)).scalar_one())

    # --- the file and its workers ---------------------------------------------------------------

    def register_worker(self, worker_id: str, now: float) -> None:
        """Note a worker that will append."""
        with self._transaction() as connection:
            connection.execute(insert(workers), {"id": worker_id, "started_at": now})

    def lose_worker(self, worker_id: str, now: float = 0.0) -> None:
        """Refuse that worker's appends from now on."""
        with self._transaction() as connection:
            connection.execute(update(workers).where(workers.c.id == worker_id).values(lost_at=now))

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, as far as no reader is in the way."""
        with self._driver() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Let the file go."""
        self._hub.close()
        self._engine.dispose()


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StorageUnavailable() from error


def _find_session(connection: Connection, owner: str, session_id: str) -> ChatSession | None:
    row = connection.execute(
        select(sessions, _ACTIVE_RUN, _MESSAGE_COUNT).where(
            sessions.c.owner == owner, sessions.c.id == session_id
        )
    ).one_or_none()
    return session_from(row._asdict()) if row else None


def _read_branch(
    connection: Connection, owner: str, session_id: str, leaf_id: str | None
) -> list[Message]:
    rows = connection.execute(
        select(messages).where(messages.c.owner == owner, messages.c.session_id == session_id)
    ).all()
    return branch({row.id: message_from(row._asdict()) for row in rows}, leaf_id)


def _set_pragmas(connection: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # Survives any death of the process; FULL, which survives a power cut too, costs ten times as
    # much.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _prepare(connection: Any, _: Any) -> None:
    # the driver's own BEGIN is deferred; `_begin` takes the lock at once
    connection.isolation_level = None
    _set_pragmas(connection)
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at its start: a transaction that turns into a writer may be refused
    # half-way.
    writes = connection.get_execution_options().get("tandem_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
