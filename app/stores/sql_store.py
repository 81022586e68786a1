"""What the stores of all SQL engines do alike: one statement after another, in a transaction that
the engine opens."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from app.core.entries import Entry
from app.core.runs import RunRecord
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


class SqlStore(SqlSessions, SqlAttachments, SqlMoving):
    """Store on any SQL engine, but for what its hot path is. All methods may block."""

    def _hold_run(self, connection: Connection, owner: str, run_id: str) -> None:
        """Keep others from changing the run until the transaction ends, where that is to be
        said."""

    def _hold_worker(self, connection: Connection, worker_id: str) -> None:
        """Keep others from taking the worker over until the transaction ends."""

    def _hold_caller(self, connection: Connection, caller: str) -> None:
        """Keep others from starting a run of the caller until the transaction ends."""

    # --- runs -----------------------------------------------------------------------------------

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
            self._hold_worker(connection, worker_id)
            if most_running:
                self._hold_caller(connection, caller)
            self._hold_run(connection, owner, run_id)
            driver = OnSqlAlchemy(connection)
            whose = (owner, run_id, replies, worker_id, now, caller, most_running)
            done = waiting.answer(driver, *whose)
            if done.branch is None:
                return done
            return done._replace(branch=queries.branch_before(connection, done.record))

    def end_waiting(self, owner: str, run_id: str, why: Why, now: float) -> list[Entry]:
        with self._transaction() as connection:
            self._hold_run(connection, owner, run_id)
            return waiting.end_waiting(OnSqlAlchemy(connection), owner, run_id, why, now)

    def expired(self, now: float, limit: int) -> list[RunRecord]:
        with self._reading() as connection:
            return waiting.expired(OnSqlAlchemy(connection), now, limit)

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        with self._reading() as connection:
            return queries.find_key(connection, owner, key, since)

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        with self._reading() as connection:
            row = connection.execute(
                select(runs).where(runs.c.id == run_id, runs.c.owner == owner)
            ).one_or_none()
        return run_from(row._asdict()) if row else None

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        with self._reading() as connection:
            return read_entries(connection, run_id, after)

    # --- workers, and what is old ---------------------------------------------------------------

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

    def probe(self) -> None:
        with self._transaction() as connection:
            connection.execute(update(workers).values(lost_at=workers.c.lost_at))
