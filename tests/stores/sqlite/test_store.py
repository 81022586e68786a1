"""What the SQL store promises besides: it outlives the process, never waits in the hub, and its
migrations build its schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, create_engine
from sqlalchemy.pool import NullPool

from app.core.errors import StorageUnavailable
from app.core.store import Batch
from app.stores.memory import MemoryStore
from app.stores.sql.migrate import DatabaseTooNew, migrate
from app.stores.sql.tables import metadata
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER
from tests.support.clock import START
from tests.support.samples import ended, run_record, texts, turn_of

BATCH = Batch([("run-1", texts("a"))])


@pytest.fixture
def other(sql_path: str, sql_store: SqliteStore) -> Iterator[sqlite3.Connection]:
    """Another process's connection, in the middle of a write."""
    with closing(sqlite3.connect(sql_path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_store_survives_being_opened_anew(sql_store: SqliteStore, sql_path: str) -> None:
    sql_store.begin_turn(turn_of())
    sql_store.append_now(WORKER, ended(run_record(), texts("Hel", "lo")))
    sql_store.close()

    with closing(SqliteStore(sql_path)) as again:
        assert again.read_branch("ann", "s-1")[-1].text == "Hello"
        assert [entry.seq for entry in again.read_entries("run-1")] == [1, 2, 3]
        run = again.find_run("ann", "run-1")
        assert run and run.status == "completed"


def test_what_was_appended_is_seen_by_another_process(
    sql_store: SqliteStore, sql_path: str
) -> None:
    sql_store.begin_turn(turn_of())
    sql_store.append_now(WORKER, BATCH)

    with closing(SqliteStore(sql_path)) as other:
        assert other.read_entries("run-1") == texts("a")


def test_run_of_an_unknown_worker_is_refused(sql_store: SqliteStore) -> None:
    sql_store.begin_turn(turn_of())

    with pytest.raises(Exception, match="nobody"):
        sql_store.append_now("nobody", BATCH)


def test_append_now_gives_up_while_another_writes(sql_store: SqliteStore, sql_path: str) -> None:
    sql_store.begin_turn(turn_of())
    with closing(sqlite3.connect(sql_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert sql_store.append_now(WORKER, BATCH) is False
        other.execute("ROLLBACK")

    assert sql_store.append_now(WORKER, BATCH) is True
    assert sql_store.read_entries("run-1") == texts("a")


def test_writes_wait_then_say_that_the_store_is_unavailable(
    sql_store: SqliteStore, other: sqlite3.Connection
) -> None:
    with pytest.raises(StorageUnavailable):
        sql_store.append(WORKER, BATCH)
    with pytest.raises(StorageUnavailable):
        sql_store.begin_turn(turn_of())


def test_reads_go_on_while_another_writes(
    sql_store: SqliteStore, other: sqlite3.Connection
) -> None:
    assert sql_store.find_run("ann", "run-1") is None
    assert sql_store.list_sessions("ann") == []


def test_batch_that_fails_leaves_nothing_of_itself(sql_store: SqliteStore) -> None:
    sql_store.begin_turn(turn_of())
    sql_store.append(WORKER, BATCH)
    twice = Batch([("run-1", texts("b", first=2)), ("run-1", texts("again"))])

    with pytest.raises(ValueError, match="entry 1 does not follow"):
        sql_store.append(WORKER, twice)
    assert sql_store.read_entries("run-1") == texts("a")


def test_batch_that_cannot_be_written_down_leaves_the_store_usable(sql_store: SqliteStore) -> None:
    sql_store.begin_turn(turn_of())
    with pytest.raises(TypeError):
        sql_store.append(WORKER, Batch([("run-1", texts("\ud800"))]))

    sql_store.append(WORKER, BATCH)
    assert sql_store.read_entries("run-1") == texts("a")


def test_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)

    with pytest.raises(sqlite3.DatabaseError):
        SqliteStore(str(path))


def test_migrations_build_the_schema(sql_path: str) -> None:
    url = URL.create("sqlite", database=sql_path)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(sql_path: str, sql_store: SqliteStore) -> None:
    sql_store.begin_turn(turn_of())
    migrate(sql_path)

    assert sql_store.find_run("ann", "run-1") is not None


def test_database_of_newer_code_is_left_alone(sql_path: str) -> None:
    with closing(sqlite3.connect(sql_path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'zzzz'")
        connection.commit()

    with pytest.raises(DatabaseTooNew):
        migrate(sql_path)


def test_migration_makes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "tandem.db"
    migrate(str(path))

    assert path.exists()


def test_memory_has_nothing_to_close() -> None:
    store = MemoryStore()
    store.begin_turn(turn_of(at=START))
    store.close()

    assert store.find_run("ann", "run-1") is not None
