"""A SQLite file as a database that is set."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.runs.ports import Runtime
from app.stores.sql import migrate as migrating
from app.stores.sqlite.locks import FileLocks
from app.stores.sqlite.store import SqliteStore


class SqliteDatabase:
    """Implements `build.Database` and `build.Kept`."""

    threads = SqliteStore.threads

    def __init__(self, path: str) -> None:
        self.path = path
        self.shown = f"sqlite:///{path}"
        self.attachments = f"{path}.attachments"
        self.windows: str | None = f"{path}.rates"

    def migrate(self) -> None:
        migrating.migrate(self.path)

    def is_current(self) -> bool:
        return migrating.is_current(self.path)

    def is_there(self) -> bool:
        return Path(self.path).is_file()

    def open(self, timeout_s: float, runtime: Runtime | None = None) -> SqliteStore:
        return SqliteStore(self.path, timeout_s)

    def make_locks(self, runtime: Runtime) -> FileLocks:
        return FileLocks(f"{self.path}.workers")

    def group(self) -> str:
        return hashlib.sha256(os.path.realpath(self.path).encode()).hexdigest()[:16]

    @contextmanager
    def importing(self) -> Iterator[bool]:
        with open(f"{self.path}.import.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
