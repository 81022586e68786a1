"""The SQL store: SQLAlchemy Core on SQLite in WAL mode.

Two connections: one belongs to the store's thread (all calls but `append_now`), one to the hub,
which commits what runs have new without ever waiting for a lock. docs/architecture.md tells why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

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

from app.runs.daily_usage import UsedTokens
from app.runs.errors import NotFound, SessionBusy, StorageUnavailable
from app.runs.interfaces import Batch, WorkerLost
from app.runs.prices import CostOf, no_cost
from app.runs.records import KEY_TTL_S, ChatSession, Message, RunRecord, Turn
from app.runs.run_log import Entry
from app.stores import sql_queries as queries
from app.stores.rows import (
    message_row,
    run_from,
    run_row,
    session_from,
    session_row,
)
from app.stores.rules import branch_for_model, chain, check_key, with_prompt
from app.stores.schema import messages, runs, sessions, workers
from app.stores.sql_keeping import delete_old, fold
from app.stores.sql_keeping import read_entries as _read_entries
from app.stores.sql_keeping import take_over
from app.stores.sqlite_appends import append_batch
from app.stores.sqlite_connections import begin, open_hub_connection, prepare


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
        event.listen(self._engine, "connect", prepare)
        event.listen(self._engine, "begin", begin)
        self._writes = self._engine.execution_options(tandem_write=True)
        self._hub = open_hub_connection(path)

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
        """Store a turn, return the branch the model is to answer.

        Raises SessionBusy, AlreadyStarted, IdempotencyConflict, InvalidRequest, NotFound,
        WorkerLost.
        """
        wanted, run = turn.session, turn.run
        key = (sessions.c.owner == wanted.owner) & (sessions.c.id == wanted.id)
        with self._transaction() as connection:
            if not queries.is_alive(connection, run.worker_id):
                raise WorkerLost(run.worker_id)
            if run.idempotency_key is not None:
                since = run.created_at - KEY_TTL_S
                started = queries.find_key(connection, run.owner, run.idempotency_key, since)
                if started is not None:
                    check_key(started, turn)
            if not turn.must_exist:
                connection.execute(upsert(sessions).on_conflict_do_nothing(), session_row(wanted))
            stored = connection.execute(
                select(
                    sessions.c.leaf_id, sessions.c.title, sessions.c.system, queries.ACTIVE_RUN
                ).where(key)
            ).one_or_none()
            if stored is None:
                raise NotFound()
            if stored.active_run_id is not None:
                raise SessionBusy(run_id=stored.active_run_id)
            rows = [
                message_row(wanted.owner, wanted.id, one) for one in chain(turn, stored.leaf_id)
            ]
            if rows:
                connection.execute(insert(messages), rows)
            connection.execute(insert(runs), run_row(run))
            connection.execute(
                update(messages)
                .where(messages.c.id == turn.reply.id)
                .values(status="running", run_id=run.id)
            )
            connection.execute(
                update(sessions)
                .where(key)
                .values(
                    leaf_id=turn.reply.id,
                    updated_at=run.created_at,
                    title=stored.title or wanted.title,
                )
            )
            branch_in_use = queries.read_branch(connection, wanted.owner, wanted.id, turn.reply.id)
            return with_prompt(branch_for_model(turn, branch_in_use), stored.system)

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        """Return the run that the owner's idempotency key has started since then, or None."""
        with self._reading() as connection:
            return queries.find_key(connection, owner, key, since)

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

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        """Return the stored entries of a run beyond `after`, in order."""
        with self._reading() as connection:
            return _read_entries(connection, run_id, after)

    # --- sessions -------------------------------------------------------------------------------

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        """Store the session unless it is there; return what is stored."""
        with self._transaction() as connection:
            connection.execute(upsert(sessions).on_conflict_do_nothing(), session_row(chat_session))
            found = queries.find_session(connection, chat_session.owner, chat_session.id)
        assert found is not None
        return found

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        """Return the record, or None."""
        with self._reading() as connection:
            return queries.find_session(connection, owner, session_id)

    def list_sessions(self, owner: str) -> list[ChatSession]:
        """Return the owner's listed sessions, newest first."""
        with self._reading() as connection:
            rows = connection.execute(
                select(sessions, queries.ACTIVE_RUN, queries.MESSAGE_COUNT)
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
            found = queries.find_session(connection, owner, session_id)
            if found is None:
                return []
            return queries.read_branch(connection, owner, session_id, found.leaf_id)

    def read_tree(self, owner: str, session_id: str) -> dict[str, Message]:
        """Return all messages of the session by id, in the order they came."""
        with self._reading() as connection:
            return queries.read_tree(connection, owner, session_id)

    def next_number(self, owner: str) -> int:
        """Return 1, 2, ...: a number that the owner never had."""
        with self._transaction() as connection:
            return queries.next_number(connection, owner)

    def used_by_day(self, owner: str, since_day: str) -> list[UsedTokens]:
        """Return what the owner used on that day and later: a day, provider and model each."""
        with self._reading() as connection:
            return queries.used_by_day(connection, owner, since_day)

    def used_in_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        """Return what the session's runs that have ended used, each by itself."""
        with self._reading() as connection:
            return queries.used_in_session(connection, owner, session_id)

    def count_sessions(self) -> int:
        """Return how many sessions are stored."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(sessions)).scalar_one())

    # --- the file and its workers ---------------------------------------------------------------

    def register_worker(self, worker_id: str, now: float) -> None:
        """Note a worker that will append."""
        with self._transaction() as connection:
            connection.execute(insert(workers), {"id": worker_id, "started_at": now})

    def other_workers(self, worker_id: str) -> list[str]:
        """Return the workers that are not known to be gone, but this one."""
        with self._reading() as connection:
            others = select(workers.c.id).where(workers.c.lost_at.is_(None))
            return list(connection.execute(others.where(workers.c.id != worker_id)).scalars())

    def take_over(
        self, worker_id: str, error: dict[str, object], now: float, cost_of: CostOf = no_cost
    ) -> list[str]:
        """Refuse that worker's appends and end its runs as interrupted; return the runs' ids."""
        with self._transaction() as connection:
            return take_over(connection, worker_id, error, now, cost_of)

    def fold(self, ended_before: float, limit: int) -> int:
        """Fold the entries of runs that ended before then into one piece each; return how many."""
        with self._transaction() as connection:
            return fold(connection, ended_before, limit)

    def delete_old(self, listed_before: float | None, unlisted_before: float) -> int:
        """Delete sessions not used since then, listed ones too unless None; return how many."""
        with self._transaction() as connection:
            return delete_old(connection, listed_before, unlisted_before)

    def set_patience(self, seconds: float) -> None:
        """Let the calls that follow wait that long for another process's lock."""
        with self._driver() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def probe(self) -> None:
        """Write something that changes nothing. Raises StorageUnavailable."""
        with self._transaction() as connection:
            connection.execute(update(workers).values(lost_at=workers.c.lost_at))

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
