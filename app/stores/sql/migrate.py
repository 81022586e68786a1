"""Bring a database to this code's schema, one process at a time."""

from __future__ import annotations

import fcntl
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseTooNew(Exception):
    """The database was made by newer code; going on would harm it."""


class DatabaseUnusable(Exception):
    """The file is no database, is locked, or cannot be written; the text says which."""


def migrate(path: str) -> None:
    """Upgrade (or make) the SQLite file at `path`. Raises DatabaseTooNew, DatabaseUnusable."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = URL.create("sqlite", database=path)
    with open(f"{path}.migrate.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, or at our death
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseTooNew(path) from error
        except DBAPIError as error:
            raise DatabaseUnusable(f"{path}: {error.orig}") from error


def is_current(path: str) -> bool:
    """Whether the SQLite file has this code's schema. Raises DatabaseUnusable."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    try:
        engine = create_engine(URL.create("sqlite", database=path), poolclass=NullPool)
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == head
    except DBAPIError as error:
        raise DatabaseUnusable(f"{path}: {error.orig}") from error
