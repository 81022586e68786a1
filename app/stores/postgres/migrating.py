"""Bring a PostgreSQL database to this code's schema, one process at a time; say what is in the
way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.stores.postgres.address import shown
from app.stores.postgres.connection import OLDEST, ThreadConnection, connect
from app.stores.sql.migrate import MIGRATIONS, DatabaseTooNew, DatabaseUnusable

LOCK = 0x7A6E64656D000001  # pg_advisory_lock's, of whoever changes the schema
PATIENCE_S = 3.0  # for a server that is just starting


def migrate(url: str) -> None:
    """Upgrade (or make) the tables. Raises DatabaseTooNew, DatabaseUnusable."""
    with _connected(url) as connection:
        # Held until the connection closes: another process may be upgrading.
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
            connection.commit()
        except CommandError as error:
            raise DatabaseTooNew(shown(url)) from error


def is_current(url: str) -> bool:
    """Whether the database has this code's schema. Raises DatabaseUnusable."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    with _connected(url) as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


def is_there(url: str) -> bool:
    """Whether any schema of ours is in the database. Raises DatabaseUnusable."""
    with _connected(url) as connection:
        return MigrationContext.configure(connection).get_current_revision() is not None


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    def connected() -> psycopg.Connection[object]:
        connection = connect(url, PATIENCE_S, "", ThreadConnection)
        try:
            connection.deadline = math.inf
            connection.autocommit = False
            _check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("postgresql+psycopg://", creator=connected, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseUnusable(f"{shown(url)}: {_in_words(cause)}") from error


def _check(connection: psycopg.Connection[object]) -> None:
    """Raise OperationalError for a server or a database that cannot be used."""
    if connection.info.server_version < OLDEST:
        raise psycopg.OperationalError("it is older than PostgreSQL 13")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise psycopg.OperationalError(
            f"its encoding is {encoding}; create it with ENCODING 'UTF8' TEMPLATE template0"
        )


def _in_words(error: BaseException | None) -> str:
    """Return the reason in one line."""
    said = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, InsufficientPrivilege):
        said += " (its role needs CREATE on the schema, or to own the database)"
    return said
