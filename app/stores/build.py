"""The engines: which one a database's address is of, made ready."""

from __future__ import annotations

from app.core.store import Store
from app.runs.ports import WorkerLocks
from app.stores.memory import MemoryStore, NoLocks
from app.stores.sql.migrate import migrate
from app.stores.sqlite.locks import FileLocks
from app.stores.sqlite.store import SqliteStore


def engine_of(path: str | None) -> type[MemoryStore] | type[SqliteStore]:
    """Return what the store will be: `path` is a file of SQLite's, None for memory."""
    return MemoryStore if path is None else SqliteStore


def make_store(path: str | None, timeout_s: float) -> Store:
    """Return the store, its file made or brought up to date. Raises DatabaseTooNew,
    DatabaseUnusable, StorageUnavailable."""
    if path is None:
        return MemoryStore()
    migrate(path)
    return SqliteStore(path, timeout_s)


def make_locks(path: str | None) -> WorkerLocks:
    """Return the locks by which workers on one database know each other."""
    return NoLocks() if path is None else FileLocks(f"{path}.workers")
