"""A connection of the hub's, on which one statement is sent again and again by libpq's asynchronous
interface: neither a thread nor a task waits for the answer, the hub calls when something has come.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

import psycopg
from psycopg.pq import ExecStatus

from app.core.errors import StorageUnavailable
from app.runs.ports import Runtime, Watch
from app.stores.postgres.connection import ThreadConnection, connect
from app.stores.postgres.connections import mapped_errors, setup_for

log = logging.getLogger(__name__)
CONNECT_S = 2.0
CONNECT_AGAIN_S = 1.0
FLUSH_S = 0.001  # between tries to send what the socket did not take at once
LOOKS = 8  # whether an answer is late, in the time it may take

Done = Callable[[int | None], None]


class HubConnection:
    """Used in the hub only, but for the thread in which it is connected."""

    def __init__(self, url: str, timeout_s: float, statement: bytes, runtime: Runtime) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._answer_s = timeout_s / 2  # the other way is to have time as well
        self._statement = statement
        self._runtime = runtime
        self._name = b""
        self._connection: ThreadConnection | None = None
        self._watch: Watch | None = None
        self._connecting = False
        self._connect_after = -math.inf
        self._closed = False
        self._done: Done | None = None  # whom the answer is for
        self._rows: int | None = None
        self._sent_at = 0.0
        self._looking = False

    def is_free(self) -> bool:
        """Whether a statement can be sent now; a connection that is missing is made meanwhile."""
        if self._connection is None:
            self._see_to_connection()
            return False
        return self._done is None

    def send(self, values: Sequence[bytes], done: Done) -> bool:
        """Send the statement, and have `done` called with how many rows it changed, or with None
        if that is not known. False: it cannot be sent, or not all of it; to be asked when free."""
        connection = self._connection
        assert connection is not None and self._done is None
        try:
            connection.pgconn.send_query_prepared(self._name, values)
            if connection.pgconn.flush():
                self._runtime.call_later(FLUSH_S, self._flush)
        except psycopg.Error:
            self._drop()
            return False
        self._done, self._rows = done, 0
        self._sent_at = time.monotonic()
        if not self._looking:
            self._looking = True
            self._look_later()
        return True

    def close(self) -> None:
        """Let it go, for good."""
        self._closed = True
        self._drop()

    # --- The answer ---

    def _ready(self) -> None:
        """Read what has come."""
        connection = self._connection
        if connection is None:
            return
        pgconn = connection.pgconn
        try:
            pgconn.consume_input()
            while not pgconn.is_busy() and self._done is not None:
                result = pgconn.get_result()
                if result is None:  # now it is committed
                    self._settle(self._rows)
                    return
                if result.status != ExecStatus.COMMAND_OK:
                    log.debug("a commit failed: %s", ExecStatus(result.status).name)
                    self._fail()
                    return
                self._rows = result.command_tuples or 0
        except psycopg.Error:
            self._fail()
            return
        if self._done is None and not connection.is_usable():
            self._fail()

    def _settle(self, rows: int | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(rows)

    def _fail(self) -> None:
        """Give the connection up, whose answer may still come, or may be lost."""
        self._drop()
        self._settle(None)

    def _flush(self) -> None:
        connection = self._connection
        if connection is None or self._done is None:
            return
        try:
            if connection.pgconn.flush():
                self._runtime.call_later(FLUSH_S, self._flush)
        except psycopg.Error:
            self._fail()

    def _look_later(self) -> None:
        # One timer for many statements: each is answered long before it.
        self._runtime.call_later(self._answer_s / LOOKS, self._look)

    def _look(self) -> None:
        self._looking = self._done is not None
        if self._done is None:
            return
        self._look_later()
        if time.monotonic() - self._sent_at > self._answer_s:
            self._fail()

    # --- The connection ---

    def _see_to_connection(self) -> None:
        if not (self._connecting or self._closed) and time.monotonic() > self._connect_after:
            self._connecting = True
            self._runtime.spawn(self._connect)

    def _connect(self) -> None:
        self._connect_after = time.monotonic() + CONNECT_AGAIN_S  # if this fails
        try:
            connection = self._runtime.run_apart(self._open)
            self._connect_after = -math.inf
        except StorageUnavailable:
            return
        finally:
            self._connecting = False
        watch = None
        if not self._closed:
            watch = self._runtime.watch(connection.pgconn.socket, self._ready)
        if watch is None:
            self._closed = True  # this runtime has no hub
            connection.close()
            return
        self._connection, self._watch = connection, watch

    def _open(self) -> ThreadConnection:
        with mapped_errors():
            setup = setup_for(self._timeout_s)
            connection = connect(self._url, CONNECT_S, setup, ThreadConnection)
            self._name = connection.prepare(self._statement)
            connection.pgconn.nonblocking = 1
            return connection

    def _drop(self) -> None:
        if self._watch is not None:
            self._watch.close()  # first: its descriptor may be another's as soon as it is closed
        if self._connection is not None:
            self._connection.close()
        self._watch = self._connection = None
