"""Windows in a SQLite file, for the processes of one host.

A file of their own: a hit would else wait for the database's commits, and they for it. What is in
it may be lost, so nothing is synced. A hit is one transaction of about 20 us, in the caller's
thread, hub or not; who finds the file locked waits for as long as another process may be
interrupted in the middle of one, and no longer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import closing
from tempfile import TemporaryDirectory

from app.rates.windows import CannotCount, Hit

LOCK_WAIT_S = 0.1  # nothing else runs meanwhile
CHECKPOINT_PAGES = 100  # by whoever comes just then: small ones
SWEEP_EVERY = 32  # hits that counted
SWEEP_ROWS = 64  # looked at then: twice as many as could have come since

_SCHEMA = """
CREATE TABLE windows (key TEXT PRIMARY KEY, times BLOB NOT NULL, until REAL NOT NULL)
"""
_FIND = "SELECT times FROM windows WHERE key = ?"
_PUT = """
INSERT INTO windows (key, times, until) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET times = excluded.times, until = excluded.until
"""
_LAST_OF_NEXT = """
SELECT max(rowid) FROM (SELECT rowid FROM windows WHERE rowid > ? ORDER BY rowid LIMIT ?)
"""
_SWEEP = "DELETE FROM windows WHERE rowid > ? AND rowid <= ? AND until < ?"


class SqliteWindows:
    """The file is made, and opened, by the first hit. A row is one key's times, oldest first."""

    def __init__(self, path: str, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._wall = wall
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None  # guarded by _lock
        self._counted = 0  # guarded by _lock
        self._swept = 0  # the last row that was looked at; guarded by _lock

    def hit(self, key: str, most: int, window_s: int) -> Hit:
        with self._lock:
            try:
                return self._hit(self._open(), key, most, window_s)
            except (sqlite3.Error, OSError) as error:
                self._let_go()  # with whatever was under way
                raise CannotCount(str(error)) from error

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _hit(self, connection: sqlite3.Connection, key: str, most: int, window_s: int) -> Hit:
        connection.execute("BEGIN IMMEDIATE")
        now = self._wall()
        times = array("d")
        found = connection.execute(_FIND, (key,)).fetchone()
        if found is not None:
            times.frombytes(found[0])
            del times[bisect_right(times, now) :]  # a clock that was set back brings these
            del times[: bisect_left(times, now - window_s)]
        has_room = len(times) < most
        if has_room:
            times.append(now)
            connection.execute(_PUT, (key, times.tobytes(), now + window_s))
            self._counted += 1
            if self._counted % SWEEP_EVERY == 0:
                self._sweep(connection, now)
        connection.execute("COMMIT")
        return has_room, times[0] if times else now, len(times)

    def _sweep(self, connection: sqlite3.Connection, now: float) -> None:
        """Delete those of the next rows in which nothing counts any more."""
        after = self._swept
        (last,) = connection.execute(_LAST_OF_NEXT, (after, SWEEP_ROWS)).fetchone()
        self._swept = last or 0  # at the end: from the first again
        if last is not None:
            connection.execute(_SWEEP, (after, last, now))

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if not os.path.exists(self._path):
                _make(self._path)
            self._connection = sqlite3.connect(
                self._path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _make(path: str) -> None:
    """Make the file, unless another process just did: of those that turn one into WAL mode at the
    same time all but one are refused, however long they would wait."""
    with TemporaryDirectory(dir=os.path.dirname(path) or ".") as folder:
        made = os.path.join(folder, "rates")
        with closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_SCHEMA)
        try:
            os.link(made, path)
        except FileExistsError:
            pass
