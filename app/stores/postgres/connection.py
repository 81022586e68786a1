"""One connection, used by one real thread at a time in a process whose standard library is
patched.

What waits is libpq's own poll, in C: the `select` and `selectors` that psycopg would take are those
of green threads, and so is the lock that it makes itself.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import generators
from psycopg.abc import PQGen, PQGenConn
from psycopg.conninfo import conninfo_attempts, conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic, _WaitTimeout
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import tuple_row
from psycopg.waiting import Ready, Wait

from app.runs.ports import Lock

T = TypeVar("T")
C = TypeVar("C", bound="ThreadConnection")
INTERVAL_S = 0.1  # between looks whether the socket was closed under us
LEAST_WAIT_S = 0.5  # for what has no time left: a ROLLBACK, say
CONNECT_AGAIN_S = 0.1
OLDEST = 130000  # PostgreSQL 13
# What the address may say otherwise. A peer that is gone without a word is noticed by the kernel.
DEFAULTS = {
    "application_name": "tandem",
    "client_encoding": "UTF8",
    "gssencmode": "disable",  # its handshake costs each connection a round trip
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# psycopg's own choice among the ways to wait depends on what is patched.
_wait_in_c = psycopg.waiting.wait_c
if _wait_in_c is None or not hasattr(psycopg.Connection, "_connect_gen"):
    raise ImportError("its C implementation is not there, or is another")


class ThreadConnection(psycopg.Connection[Any]):
    """Commits each statement by itself unless BEGIN was said; gives up at `deadline`."""

    def __init__(self, pgconn: PGconn, row_factory: Any = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.lock = Lock()  # type: ignore[assignment]
        self.deadline = math.inf
        self._is_ended = False  # the server has said so; the connection's end comes after that
        self.add_notice_handler(self._hear)
        self._names: dict[bytes, bytes] = {}  # names by statement

    def wait(self, gen: PQGen[T], interval: float = INTERVAL_S, timeout: float | None = None) -> T:
        """Wait for what goes on at the connection. Raises OperationalError at the deadline: the
        connection is closed then, since its answer may still come."""
        left = None
        if self.deadline != math.inf:
            left = max(LEAST_WAIT_S, self.deadline - time.monotonic())
        try:
            found: T = _wait_in_c(gen, self.pgconn.socket, INTERVAL_S, left)
        except _WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError("no answer in time") from None
        return found

    def rollback(self) -> None:
        """Roll back, with which psycopg forgets all prepared statements, ours as well."""
        self._names.clear()
        super().rollback()

    def run(self, sql: bytes, *values: bytes) -> int:
        """Run one statement, prepared, of values as texts; return how many rows it changed.

        A third of what a cursor's costs. Raises psycopg.Error.
        """
        self.pgconn.send_query_prepared(self.prepare(sql), values)
        return self._result_of_one().command_tuples or 0

    def prepare(self, sql: bytes) -> bytes:
        """Return the name of a prepared statement. Raises psycopg.Error."""
        name = self._names.get(sql)
        if name is None:
            name = b"tandem_%d" % len(self._names)
            self.pgconn.send_prepare(name, sql)
            self._result_of_one()
            self._names[sql] = name
        return name

    def _result_of_one(self) -> PGresult:
        results: list[PGresult] = self.wait(generators.execute(self.pgconn))
        for result in results:  # behind the statement's own there is one if its commit fails
            if result.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)
        return results[0]

    def _hear(self, said: Diagnostic) -> None:
        self._is_ended = self._is_ended or said.severity_nonlocalized == "FATAL"

    def is_usable(self) -> bool:
        """Whether it is idle, and nobody has said that it ends: a look, not a round trip."""
        with suppress(psycopg.Error):
            self.pgconn.consume_input()
            self.pgconn.is_busy()  # reads what has come
            idle = self.pgconn.transaction_status == TransactionStatus.IDLE
            return idle and self.pgconn.status == ConnStatus.OK and not self._is_ended
        return False


def connect(url: str, patience_s: float, setup: str, kind: type[C]) -> C:
    """Return a new connection, for which that is tried again and again while nobody listens.

    `setup` is run on it, if it says anything. Raises psycopg.OperationalError.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _connect_once(url, max(deadline, time.monotonic() + LEAST_WAIT_S), setup, kind)
        except psycopg.OperationalError as error:
            if time.monotonic() + CONNECT_AGAIN_S > deadline or _is_final(error):
                raise
        pause(CONNECT_AGAIN_S)


def _connect_once(url: str, deadline: float, setup: str, kind: type[C]) -> C:
    failure = psycopg.OperationalError("no address to connect to")
    for attempt in conninfo_attempts({**DEFAULTS, **conninfo_to_dict(url)}):
        asked = {name: value for name, value in attempt.items() if name != "connect_timeout"}
        try:
            connection = _until_done(kind._connect_gen(make_conninfo("", **asked)), deadline)
        except psycopg.OperationalError as error:
            failure = error
            continue
        try:
            connection.deadline = deadline
            connection.autocommit = True
            if setup:
                connection.execute(setup.encode())
        except BaseException:
            connection.close()
            raise
        return connection
    raise failure


def _is_final(error: psycopg.OperationalError) -> bool:
    """Whether a server has refused us, and not only because it starts or stops."""
    said = str(error)
    return "FATAL" in said and not any(
        word in said for word in ("starting", "shutting", "recovery")
    )


def _until_done(gen: PQGenConn[T], deadline: float) -> T:
    """Drive what connects, whose socket may be another each time. Raises OperationalError."""
    try:
        fileno, wanted = next(gen)
        while True:
            left = max(0.0, deadline - time.monotonic())
            ready = _wait_in_c(_one_wait(wanted), fileno, INTERVAL_S, left)
            fileno, wanted = gen.send(ready)
    except StopIteration as done:
        found: T = done.value
        return found
    except _WaitTimeout:
        raise psycopg.OperationalError("no connection in time") from None
    finally:
        gen.close()


def _one_wait(wanted: Wait) -> Generator[Wait, Ready, Ready]:
    ready = Ready.NONE
    while not ready:
        ready = yield wanted
    return ready


def pause(seconds: float) -> None:
    """Sleep in a real thread: `time.sleep` is a green one's."""
    read_end, write_end = os.pipe()
    try:
        _wait_in_c(_one_wait(Wait.R), read_end, seconds, seconds)
    except _WaitTimeout:
        pass
    finally:
        os.close(read_end)
        os.close(write_end)
