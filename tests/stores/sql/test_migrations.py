"""A database that older code has made: brought to this code's schema with all that is in it."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex

from app.core.entries import Entry
from app.core.usage import Usage
from app.stores.sql.migrate import MIGRATIONS, migrate
from app.stores.sql.tables import metadata
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER
from tests.support.clock import START
from tests.support.samples import turn_of

# Written out, not made by the store: it is what the code of that revision has left.
FIRST_ROWS = """
INSERT INTO sessions (owner, id, title, leaf_id, listed, created_at, updated_at)
VALUES ('ann', 's-1', 'hi', 'm-2', 1, 1700000000.0, 1700000002.0);
INSERT INTO messages
  (id, owner, session_id, parent_id, role, content, status, run_id, usage, created_at)
VALUES
  ('m-1', 'ann', 's-1', NULL, 'user', '[{"type": "text", "text": "hi"}]', 'completed', NULL, NULL,
   1700000000.0),
  ('m-2', 'ann', 's-1', 'm-1', 'assistant', '[{"type": "text", "text": "Hello"}]', 'completed',
   'run-1', '{"input_tokens": 5, "output_tokens": 2, "source": "reported"}', 1700000000.0);
INSERT INTO workers (id, started_at, lost_at) VALUES ('worker', 1700000000.0, NULL);
INSERT INTO runs
  (id, owner, session_id, message_id, provider, model, dialect, worker_id, status, finish_reason,
   last_seq, idempotency_key, request_hash, folded, created_at, ended_at)
VALUES
  ('run-1', 'ann', 's-1', 'm-2', 'scripted', 'scripted-1', 'native', 'worker', 'completed', 'stop',
   2, 'key-1', 'hash-1', 0, 1700000000.0, 1700000002.0);
INSERT INTO run_entries (run_id, seq, last_seq, entries)
VALUES ('run-1', 1, 2, '[["text","Hello",1700000000.0],["end",{},1700000002.0]]');
"""


def config_of(path: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = URL.create("sqlite", database=path)
    return config


@pytest.fixture
def first(tmp_path: Path) -> str:
    """A file as the code of the first revision has left it."""
    path = str(tmp_path / "first.db")
    command.upgrade(config_of(path), "0001")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_ROWS)
    return path


@pytest.fixture
def upgraded(first: str) -> Iterator[SqliteStore]:
    """The store on that file, after this code's migrations."""
    migrate(first)
    with closing(SqliteStore(first)) as store:
        yield store


def names(path: str) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows}


def test_first_revision_has_no_numbers_and_the_newest_has(first: str) -> None:
    assert "numbers" not in names(first)
    migrate(first)

    assert names(first) == {*metadata.tables, "alembic_version"}


def test_migrated_database_has_the_schema_of_a_new_one(first: str) -> None:
    migrate(first)
    url = URL.create("sqlite", database=first)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        head = ScriptDirectory.from_config(config_of(first)).get_current_head()
        assert context.get_current_revision() == head
        assert compare_metadata(context, metadata) == []


def test_conversation_is_still_there(upgraded: SqliteStore) -> None:
    found = upgraded.find_session("ann", "s-1")

    assert found and (found.title, found.leaf_id, found.listed) == ("hi", "m-2", True)
    said = [(one.role, one.text) for one in upgraded.read_branch("ann", "s-1")]
    assert said == [("user", "hi"), ("assistant", "Hello")]
    assert upgraded.read_branch("ann", "s-1")[1].usage == Usage(5, 2)


def test_run_and_its_entries_are_still_there(upgraded: SqliteStore) -> None:
    run = upgraded.find_key("ann", "key-1", START)

    assert run and (run.id, run.status, run.last_seq) == ("run-1", "completed", 2)
    assert upgraded.read_entries("run-1") == [
        Entry(1, "text", "Hello", START),
        Entry(2, "end", {}, START + 2),
    ]


def test_conversation_goes_on(upgraded: SqliteStore) -> None:
    branch = upgraded.begin_turn(turn_of("run-2", worker_id=WORKER))

    assert [message.text for message in branch] == ["hi", "Hello", "hi"]


def test_numbers_begin_with_one(upgraded: SqliteStore) -> None:
    assert [upgraded.next_number("ann") for _ in range(2)] == [1, 2]


def test_migrations_are_one_line(first: str) -> None:
    script = ScriptDirectory.from_config(config_of(first))

    assert len(script.get_heads()) == len(script.get_bases()) == 1


def test_migrations_make_the_same_indexes_on_postgresql(capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(output_buffer=sys.stdout)
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["dialect"] = "postgresql"
    command.upgrade(config, "head", sql=True)

    written = " ".join(capsys.readouterr().out.split())
    assert "CREATE UNIQUE INDEX one_run_going_a_session ON runs (owner, session_id) " in written
    for table in metadata.sorted_tables:
        assert f"CREATE TABLE {table.name} (" in written
        for index in table.indexes:
            made = str(CreateIndex(index).compile(dialect=postgresql.dialect()))
            assert f"{' '.join(made.split())};" in written
