"""The engines: which one a database's address is of, made ready. The one place that knows all."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from app.core.store import MovableStore, Store
from app.runs.ports import Runtime, WorkerLocks
from app.stores.memory import MemoryStore
from app.stores.no_locks import NoLocks
from app.stores.sql.migrate import DatabaseUnusable
from app.stores.sqlite.database import SqliteDatabase

_SQLITE = "sqlite:///"


class KeptStore(Store, MovableStore, Protocol):
    """A store that outlives its process."""


class Database(Protocol):
    """A database that is set."""

    threads: int  # how many may call its store at a time
    shown: str  # its address without what is secret
    windows: str | None  # the file in which its processes count rates, where they are on one host

    @property
    def attachments(self) -> str | None:
        """The folder in which attachments are unless another is set; None for memory."""

    def migrate(self) -> None:
        """Make it, or bring it to this code's schema. Raises DatabaseTooNew, DatabaseUnusable."""

    def open(self, timeout_s: float, runtime: Runtime | None = None) -> Store:
        """Return its store, whose calls wait that long, and which may use that runtime. Raises
        StorageUnavailable."""

    def make_locks(self, runtime: Runtime) -> WorkerLocks:
        """Return the locks by which its workers know each other."""

    def group(self) -> str:
        """Return a name of 16 letters and digits that all processes on it have for it, and those on
        another have not; empty where there can be no other. Raises StorageUnavailable."""


@runtime_checkable
class Kept(Database, Protocol):
    """One that outlives the process: what tools can work on."""

    def is_there(self) -> bool:
        """Whether anything of Tandem's is in it. Raises DatabaseUnusable."""

    def is_current(self) -> bool:
        """Whether it has this code's schema. Raises DatabaseUnusable."""

    def open(self, timeout_s: float, runtime: Runtime | None = None) -> KeptStore:
        """Return its store, as a Database does."""

    def importing(self) -> AbstractContextManager[bool]:
        """Hold the place of the one import that may be under way; False if another does."""


class Memory:
    """Implements `Database`: what the process forgets at its end."""

    threads = MemoryStore.threads
    shown = "memory:"
    windows: str | None = None
    attachments: str | None = None

    def migrate(self) -> None:
        """Do nothing."""

    def open(self, timeout_s: float, runtime: Runtime | None = None) -> MemoryStore:
        return MemoryStore()

    def make_locks(self, runtime: Runtime) -> NoLocks:
        return NoLocks()

    def group(self) -> str:
        return ""


def database_of(url: str) -> Database:
    """Return the database of an address, as the settings have checked it. Raises
    DatabaseUnusable."""
    if url.startswith(_SQLITE):
        return SqliteDatabase(url.removeprefix(_SQLITE))
    if url == "memory:":
        return Memory()
    try:
        from app.stores.postgres.database import (  # who has another needs none of it
            PostgresDatabase,
        )
    except (ImportError, AttributeError) as error:
        said = f"psycopg is not as requirements.txt has it ({error})"
        raise DatabaseUnusable(said) from error
    return PostgresDatabase(url)


def make_store(database: Database, timeout_s: float, runtime: Runtime) -> Store:
    """Return the store of a database, which is made or brought up to date. Raises DatabaseTooNew,
    DatabaseUnusable, StorageUnavailable."""
    database.migrate()
    return database.open(timeout_s, runtime)
