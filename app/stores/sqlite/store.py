"""The SQL store: SQLAlchemy Core on SQLite in WAL mode.

Two connections. One belongs to the store's thread; one to the hub, which begins turns and commits
what runs have new on it (the methods that end in `_now`) without ever waiting for a lock.
docs/architecture.md tells why.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import (
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from app.core.entries import Entry
from app.core.errors import NotFound, SessionBusy
from app.core.messages import Message
from app.core.runs import KEY_TTL_S, RunRecord, Turn
from app.core.store import Batch, WorkerLost
from app.core.usage import CostOf, no_cost
from app.stores.decisions import branch_for_model, chain, check_key, with_prompt
from app.stores.sql import queries as queries
from app.stores.sql.entries import read_entries
from app.stores.sql.housekeeping import delete_old, fold, take_over
from app.stores.sql.rows import message_row, run_from, run_row, session_row
from app.stores.sql.sessions import SqlSessions
from app.stores.sql.tables import messages, runs, sessions, workers
from app.stores.sqlite.turns import TooLong, begin_turn


class SqlStore(SqlSessions):
    """RunStore and SessionStore in SQLite. All methods may block but those that end in `_now`."""

    name = "sqlite"

    # --- runs -----------------------------------------------------------------------------------

    def begin_turn_now(self, turn: Turn) -> list[Message] | None:
        """Do what `begin_turn` does; None, and nothing stored, where that takes time: another
        connection is writing, or the session is long."""
        if not self._hub_lock.acquire(blocking=False):
            return None
        try:
            return begin_turn(self._hub, turn)
        except (TooLong, sqlite3.Error):
            return None
        finally:
            self._hub_lock.release()

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
                    check_key(started.id, started.request_hash, turn)
            if not turn.must_exist:
                connection.execute(upsert(sessions).on_conflict_do_nothing(), session_row(wanted))
            stored = connection.execute(
                select(
                    sessions.c.leaf_id,
                    sessions.c.title,
                    sessions.c.listed,
                    sessions.c.system,
                    queries.ACTIVE_RUN,
                ).where(key)
            ).one_or_none()
            if stored is None:
                raise NotFound()
            if stored.active_run_id is not None:
                raise SessionBusy(run_id=stored.active_run_id)
            linked = chain(turn, stored.leaf_id)
            if linked:
                rows = [message_row(wanted.owner, wanted.id, one) for one in linked]
                connection.execute(insert(messages), rows)
            else:
                connection.execute(
                    update(messages)
                    .where(messages.c.id == turn.reply.id)
                    .values(status="running", run_id=run.id)
                )
            connection.execute(insert(runs), run_row(run))
            connection.execute(
                update(sessions)
                .where(key)
                .values(
                    leaf_id=turn.reply.id,
                    updated_at=run.created_at,
                    title=stored.title or wanted.title,
                    listed=stored.listed or wanted.listed,
                )
            )
            branch_in_use = linked
            if stored.leaf_id is not None:
                branch_in_use = queries.read_branch(
                    connection, wanted.owner, wanted.id, turn.reply.id
                )
            return with_prompt(branch_for_model(turn, branch_in_use), stored.system)

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        """Return the run that the owner's idempotency key has started since then, or None."""
        with self._reading() as connection:
            return queries.find_key(connection, owner, key, since)

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        """Store the batch unless another connection is writing. Raises WorkerLost."""
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
        """Store the batch; may block. Raises WorkerLost, StorageUnavailable."""
        with self._driver() as connection:
            self._appends.append(connection, worker_id, batch)

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
            return read_entries(connection, run_id, after)

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

    def compact(self, now: float) -> None:
        """Let nothing wait in the journal for long. Raises StorageUnavailable."""
        with self._driver() as connection:
            self._appends.compact(connection, now)

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, as far as no reader is in the way."""
        with self._driver() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
