"""The store in a PostgreSQL database, which other processes, on other hosts, may use as well.

As many calls at once as there are threads, each on a connection of its own. What SQLite has from
its one writer is said here: rows are held before what they say decides, in one order (shelf,
worker, session, run), and advisory locks stand for what has no row. docs/architecture.md tells
more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Iterator, TypeVar

import psycopg
from sqlalchemy import Connection, func, insert, select, text

from app.core.errors import SessionBusy, StorageUnavailable
from app.core.messages import Message
from app.core.runs import Turn
from app.core.sessions import ChatSession, Page
from app.core.store import Batch, PutBytes, WholeSession
from app.core.usage import CostOf, no_cost
from app.runs.ports import Runtime
from app.stores.postgres.appends import APPEND_IF_ALIVE, PostgresAppends
from app.stores.postgres.connection import ThreadConnection
from app.stores.postgres.connections import Connections, all_or_nothing
from app.stores.postgres.driver import PsycopgDriver
from app.stores.postgres.hub import HubConnection
from app.stores.postgres.searches import PostgresSearches
from app.stores.sql.tables import runs, sessions, workers
from app.stores.sql.turns import begin_turn
from app.stores.sql_store import SqlStore

T = TypeVar("T")
TRIES = 3  # of what another transaction may have crossed
# Keys of advisory locks: what stands first in a text that is hashed.
SHELF, FOLDS = "tandem shelf", "tandem folds"
_HOLD_WORKER = "SELECT 1 FROM workers WHERE id = %s AND lost_at IS NULL FOR KEY SHARE"
_HOLD_KEY = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_HOLD_SESSION = "SELECT 1 FROM sessions WHERE owner = %s AND id = %s FOR UPDATE"
_GOING = """
SELECT id FROM runs WHERE owner = %s AND session_id = %s AND ended_at IS NULL
"""
# Times are in order.
_COUNT_HIT = """
WITH clock AS (SELECT extract(epoch FROM clock_timestamp())::float8 AS now),
hit AS (
  INSERT INTO rate_windows AS w (key, times) SELECT %(key)s, ARRAY[now] FROM clock
  ON CONFLICT (key) DO UPDATE SET times = (
    SELECT CASE WHEN cardinality(live) < %(most)s THEN live || excluded.times ELSE live END
    FROM (SELECT ARRAY(
      SELECT t FROM unnest(w.times) AS t WHERE t > excluded.times[1] - %(window_s)s ORDER BY t
    ) AS live) AS counted
  )
  RETURNING times
)
SELECT times[cardinality(times)] = now, times[1], cardinality(times) FROM hit, clock
"""
_FORGET_HITS = """
DELETE FROM rate_windows WHERE times[cardinality(times)] < extract(epoch FROM now()) - %s
"""
LONGEST_WINDOW_S = 86400
# By the database's clock, as all that tells who lives.
NOW = func.extract("epoch", func.clock_timestamp())


class PostgresStore(SqlStore):
    """A database of PostgreSQL's. All methods may block."""

    name = "postgresql"
    threads = 8  # of each process: more wait for the same disk
    gathers = True

    def __init__(self, url: str, timeout_s: float = 5, runtime: Runtime | None = None) -> None:
        """With a runtime, commits go by its hub where it has one."""
        self._connections = Connections(url, timeout_s)
        self._hub = HubConnection(url, timeout_s, APPEND_IF_ALIVE, runtime) if runtime else None
        self._appends = PostgresAppends(self._connections, self._hub)
        self._searches = PostgresSearches(url, timeout_s)

    def _transaction(self) -> AbstractContextManager[Connection]:
        return self._connections.transaction()

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._connections.reading()

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        with self._transaction() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_hashed(SHELF))))
            yield connection

    def _hold_run(self, connection: Connection, owner: str, run_id: str) -> None:
        wanted = select(sessions.c.id).join(
            runs, (runs.c.owner == sessions.c.owner) & (runs.c.session_id == sessions.c.id)
        )
        wanted = wanted.where(runs.c.owner == owner, runs.c.id == run_id)
        connection.execute(wanted.with_for_update(of=sessions))

    def _hold_worker(self, connection: Connection, worker_id: str) -> None:
        alive = select(workers.c.id).where(workers.c.id == worker_id, workers.c.lost_at.is_(None))
        connection.execute(alive.with_for_update(read=True, key_share=True))

    def _hold_caller(self, connection: Connection, caller: str) -> None:
        connection.execute(select(func.pg_advisory_xact_lock(_hashed(_caller_key(caller)))))

    def set_patience(self, seconds: float) -> None:
        self._connections.patience_s = seconds

    def tidy(self, now: float) -> None:
        self._appends.compact(now)

    def close(self) -> None:
        if self._hub is not None:
            self._hub.close()
        self._connections.close()
        self._searches.close()

    # --- sessions -------------------------------------------------------------------------------

    def delete_session(self, owner: str, session_id: str) -> bool:
        return again(lambda: super(PostgresStore, self).delete_session(owner, session_id))

    def delete_all(self, owner: str) -> int:
        return again(lambda: super(PostgresStore, self).delete_all(owner))

    def search_sessions(
        self, owner: str, page: Page, given_up: Callable[[], bool]
    ) -> list[ChatSession]:
        return self._searches.search(owner, page, given_up)

    # --- runs -----------------------------------------------------------------------------------

    def begin_turn(self, turn: Turn) -> list[Message]:
        return again(lambda: self._begin_turn(turn))

    def _begin_turn(self, turn: Turn) -> list[Message]:
        with self._connections.driver() as connection:
            try:
                with all_or_nothing(connection):
                    _hold(connection, turn)
                    return begin_turn(PsycopgDriver(connection), turn)
            except psycopg.errors.UniqueViolation:
                run_id = _going(connection, turn)
                if run_id is None:
                    raise
                raise SessionBusy(run_id=run_id) from None

    def count_hit(self, key: str, most: int, window_s: int) -> tuple[bool, float, int]:
        with self._connections.driver() as connection:
            values = {"key": key, "most": most, "window_s": window_s}
            found = connection.execute(_COUNT_HIT, values, prepare=True).fetchone()
        assert found is not None
        return found[0], found[1], found[2]

    def append(self, worker_id: str, batch: Batch) -> None:
        self._appends.append(worker_id, batch)

    def append_soon(self, worker_id: str, batch: Batch, done: Callable[[bool], None]) -> bool:
        return self._appends.append_soon(worker_id, batch, done)

    # --- workers, and what is old ---------------------------------------------------------------

    def register_worker(self, worker_id: str, now: float) -> None:
        row = {"id": worker_id, "started_at": now}
        with self._transaction() as connection:
            connection.execute(insert(workers).values(seen_at=NOW), row)

    def take_over(
        self, worker_id: str, error: dict[str, object], now: float, cost_of: CostOf = no_cost
    ) -> list[str]:
        return again(lambda: super(PostgresStore, self).take_over(worker_id, error, now, cost_of))

    def fold(self, ended_before: float, limit: int) -> int:
        return again(lambda: super(PostgresStore, self).fold(ended_before, limit))

    def delete_old(self, listed_before: float | None, unlisted_before: float) -> int:
        with self._connections.driver() as connection:
            connection.execute(_FORGET_HITS, (LONGEST_WINDOW_S,))
        return again(lambda: super(PostgresStore, self).delete_old(listed_before, unlisted_before))

    def put_whole(
        self, whole: WholeSession, seen_at: float, put: PutBytes, cost_of: CostOf = no_cost
    ) -> bool:
        return again(lambda: super(PostgresStore, self).put_whole(whole, seen_at, put, cost_of))


def again(call: Callable[[], T]) -> T:
    """Return what the call returns, which is made anew where another transaction has crossed its
    way. Nothing of it is stored then."""
    for _ in range(TRIES - 1):
        try:
            return call()
        except StorageUnavailable as error:
            if not _was_crossed(error.__cause__):
                raise
    return call()


# Also of one that was told to end before it had an answer.
_NOTHING_STORED = (
    psycopg.errors.TransactionRollback,
    psycopg.errors.IntegrityError,
    psycopg.errors.AdminShutdown,
)


def _was_crossed(cause: Any) -> bool:
    cause = getattr(cause, "orig", cause)
    return isinstance(cause, _NOTHING_STORED)


def _hashed(what: str) -> Any:
    return func.hashtextextended(what, text("0"))


def _hold(connection: ThreadConnection, turn: Turn) -> None:
    """Keep others from what the turn looks at before it writes."""
    run = turn.run
    connection.execute(_HOLD_WORKER, (run.worker_id,), prepare=True)
    if run.idempotency_key is not None:
        key = f"tandem key {len(run.owner)} {run.owner}{run.idempotency_key}"
        connection.execute(_HOLD_KEY, (key,), prepare=True)
    if turn.most_running:
        connection.execute(_HOLD_KEY, (_caller_key(run.caller),), prepare=True)
    connection.execute(_HOLD_SESSION, (run.owner, run.session_id), prepare=True)


def _caller_key(caller: str) -> str:
    return f"tandem caller {caller}"


def _going(connection: ThreadConnection, turn: Turn) -> str | None:
    found = connection.execute(_GOING, (turn.run.owner, turn.run.session_id)).fetchone()
    return None if found is None else str(found[0])
