"""Which workers are alive, on any host: each says so twice a second, by the database's clock, on a
connection of its own that holds a lock of its name.

Gone is who is silent for a while and whose lock is free, or who is silent for long whoever holds
it: a process that stands still keeps its connection. Nobody is gone for a while after the database
has started, or after we were silent ourselves: the others may be coming back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg

from app.core.errors import StorageUnavailable
from app.runs.ports import Lock, Runtime
from app.stores.postgres.connection import ThreadConnection, connect

log = logging.getLogger(__name__)
BEAT_S = 0.5
PATIENCE_S = 2.0  # with a database that does not answer; then comes the next beat
_KEY = "hashtextextended('tandem worker ' || {}, 0)"
_TAKE = f"SELECT pg_try_advisory_lock({_KEY.format('%s')})"
_LET_GO = f"SELECT pg_advisory_unlock({_KEY.format('%s')})"
# The lock is tried for one statement only; nobody waits for it.
_BEAT = f"""
WITH clock AS (SELECT extract(epoch FROM clock_timestamp())::float8 AS now),
mine AS (UPDATE workers SET seen_at = now FROM clock WHERE id = ANY(%(held)s))
SELECT now, extract(epoch FROM pg_postmaster_start_time())::float8, id
FROM clock LEFT JOIN workers ON lost_at IS NULL AND id <> ALL(%(held)s)
  AND CASE WHEN now - coalesce(seen_at, 0) > %(silent_s)s THEN TRUE
  WHEN now - coalesce(seen_at, 0) > %(free_s)s THEN pg_try_advisory_xact_lock({_KEY.format("id")})
  ELSE FALSE END
"""


class Silence(NamedTuple):
    """How long a worker says nothing until it is gone, in seconds."""

    free_s: float = 2.0  # its lock being free
    silent_s: float = 10.0  # whoever holds its lock
    settled_s: float = 10.0  # since the database started, or since we were silent


class PostgresLocks:
    """WorkerLocks by a database; any number of hosts. Thread-safe."""

    def __init__(self, url: str, runtime: Runtime, silence: Silence = Silence()) -> None:
        self._url = url
        self._runtime = runtime
        self._silence = silence
        self._lock = Lock()  # of real threads; guards what follows
        self._connection: ThreadConnection | None = None
        self._held: dict[str, bool] = {}  # by worker: whether its lock is ours
        self._beaten_at: float | None = None  # by the database's clock
        self._unsettled_until = 0.0  # by it too
        self._gone: frozenset[str] = frozenset()
        self._next_beat = 0.0
        self._beating = False

    def hold(self, worker_id: str) -> None:
        """Hold the lock of this worker, and say from now on that it lives. Raises
        StorageUnavailable."""
        self._runtime.run_apart(self._hold, worker_id)

    def let_go(self, worker_id: str) -> None:
        """Let the lock go, and be silent about it."""
        self._runtime.run_apart(self._let_go, worker_id)

    def is_gone(self, worker_id: str) -> bool:
        """Whether that worker was gone a moment ago."""
        return worker_id in self._gone

    def tick(self) -> None:
        """Say that we live, when it is time; in a task of its own, since that may wait."""
        now = time.monotonic()
        if self._held and now >= self._next_beat and not self._beating:
            self._next_beat = now + BEAT_S
            self._beating = True
            self._runtime.spawn(self._beat_apart)

    def _beat_apart(self) -> None:
        try:
            self._runtime.run_apart(self._beat)
        except StorageUnavailable:
            log.debug("the database does not hear that we live")
        finally:
            self._beating = False

    # --- in real threads ------------------------------------------------------------------------

    def _hold(self, worker_id: str) -> None:
        with self._lock:
            self._held[worker_id] = False
            self._beat()

    def _let_go(self, worker_id: str) -> None:
        with self._lock:
            if self._held.pop(worker_id, False) and self._connection is not None:
                try:
                    with self._connected() as connection:
                        connection.execute(_LET_GO, (worker_id,))
                except StorageUnavailable:
                    pass  # it went with its connection
            if not self._held and self._connection is not None:
                self._connection.close()
                self._connection = None

    def _beat(self) -> None:
        with self._lock, self._connected() as connection:
            for worker_id, is_ours in self._held.items():
                if not is_ours:
                    # Of a connection that was lost, the database may not know yet: then the lock is
                    # still held there, which says the same.
                    taken = connection.execute(_TAKE, (worker_id,)).fetchone()
                    self._held[worker_id] = bool(taken and taken[0])
            values = {"held": list(self._held), **self._silence._asdict()}
            self._note(connection.execute(_BEAT, values, prepare=True).fetchall())

    def _note(self, rows: list[Any]) -> None:
        now, started_at, _ = rows[0]
        settled_s = self._silence.settled_s
        if self._beaten_at is not None and now - self._beaten_at > self._silence.free_s:
            self._unsettled_until = now + settled_s
        self._beaten_at = now
        is_settled = now - started_at > settled_s and now >= self._unsettled_until
        self._gone = frozenset(row[2] for row in rows if row[2] is not None and is_settled)

    @contextmanager
    def _connected(self) -> Iterator[ThreadConnection]:
        """Use the connection, a new one where it was lost. Raises StorageUnavailable."""
        try:
            if self._connection is None:
                self._connection = connect(self._url, PATIENCE_S, "", ThreadConnection)
                self._held = dict.fromkeys(self._held, False)
            self._connection.deadline = time.monotonic() + PATIENCE_S
            yield self._connection
        except psycopg.Error as error:
            self._gone = frozenset()
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise StorageUnavailable() from error
