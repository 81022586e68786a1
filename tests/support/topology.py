"""What the servers of the end-to-end tests run on: TEST_TOPOLOGY, one process on SQLite by default.

With several processes each request comes to any of them.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest


class Topology(NamedTuple):
    """An engine, how many processes, and whether they have a Redis."""

    engine: str
    workers: int
    redis: bool = False


ALL = {
    "sqlite-1": Topology("sqlite", 1),
    "sqlite-3": Topology("sqlite", 3),
    "postgres-1": Topology("postgres", 1),
    "notify-3": Topology("postgres", 3),
    "redis-3": Topology("postgres", 3, redis=True),
}
CHOSEN = ALL[os.environ.get("TEST_TOPOLOGY", "sqlite-1")]
_databases: dict[Path, str] = {}


def database_of(folder: Path) -> str:
    """Return the address of the database of the server in that folder, the same each time."""
    if CHOSEN.engine == "sqlite":
        return f"sqlite:///{folder}/tandem.db"
    if folder not in _databases:
        _databases[folder] = _postgres().new_database()
    return _databases[folder]


on_sqlite = pytest.mark.skipif(CHOSEN.engine != "sqlite", reason="looks into SQLite's file")
in_one_process = pytest.mark.skipif(CHOSEN.workers > 1, reason="is about what one process holds")


def settings(folder: Path) -> dict[str, str]:
    """Return what the others are, of a server that is on such a database."""
    found = {"ATTACHMENTS_DIR": f"{folder}/tandem.db.attachments"}
    if CHOSEN.workers > 1:
        found["WORKERS"] = str(CHOSEN.workers)
    if CHOSEN.redis:
        found["REDIS_URL"] = _redis_url()
    return found


def all_stored(folder: Path) -> bytes:
    """Return all that the server in that folder has stored, somehow."""
    if CHOSEN.engine == "sqlite":
        files = [folder / name for name in ("tandem.db", "tandem.db-wal")]
        return b"".join(path.read_bytes() for path in files)
    import psycopg

    from app.stores.sql.tables import metadata

    found = []
    with psycopg.connect(_databases[folder]) as connection:
        for table in metadata.tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as rows:
                found += [bytes(row) for row in rows]
    return b"".join(found)


@cache
def _postgres():  # type: ignore[no-untyped-def]
    from tests.support.postgres import Postgres

    server = Postgres()
    atexit.register(server.remove)
    return server


@cache
def _redis_url() -> str:
    from tests.support.redis import Redis

    folder = tempfile.TemporaryDirectory(prefix="tandem-redis-")
    server = Redis(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(server.kill)
    return server.url
