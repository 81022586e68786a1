"""The journal of the SQL store when a process dies, loses sight of it, or is not alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from app.core.entries import Entry
from app.core.run_errors import RunInterrupted
from app.core.store import Batch, WorkerLost
from app.stores.journal import COMPACT_PIECES
from app.stores.sqlite.appends import SqliteAppends
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER
from tests.support.clock import START
from tests.support.journals import append_each, begin, count, pieces
from tests.support.samples import ended, run_record

LOST = RunInterrupted().end_data()
LATER = START + 60


class Interrupting(sqlite3.Connection):
    """Is interrupted (Ctrl-C) as soon as the statement is done that begins so."""

    at = ""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        done = super().execute(sql, *values)
        if self.at and sql.strip().startswith(self.at):
            self.at = ""
            raise KeyboardInterrupt
        return done


@pytest.mark.parametrize("at", ["INSERT INTO journal", "COMMIT"])
def test_commit_that_could_not_be_noted_is_not_forgotten(
    sql_store: SqliteStore, sql_path: str, at: str
) -> None:
    begin(sql_store, "run-1")
    appends = SqliteAppends()
    with closing(sqlite3.connect(sql_path, isolation_level=None, factory=Interrupting)) as raw:
        appends.append(raw, WORKER, Batch([("run-1", pieces(1))]))
        raw.at = at
        with pytest.raises(KeyboardInterrupt):
            late = Entry(2, "text", "2 ", START if at != "COMMIT" else LATER)
            appends.append(raw, WORKER, Batch([("run-1", [late])]))
        appends.append(raw, WORKER, Batch([("run-1", pieces(1, first=3))]))
        for _ in range(2):
            appends.compact(raw, LATER * 2)

        assert [entry.seq for entry in sql_store.read_entries("run-1")] == [1, 2, 3]
        assert count(raw, "journal") == 0


def test_journal_of_a_dead_worker_is_compacted_and_gone(
    sql_store: SqliteStore, sql_path: str, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1", "run-2", "run-3")
    for seq in range(1, 4):
        batch = [(f"run-{number}", pieces(1, first=seq)) for number in (1, 2, 3)]
        sql_store.append_now(WORKER, Batch(batch))
    sql_store.delete_session("ann", "run-3")
    with closing(SqliteStore(sql_path)) as other:
        other.register_worker("other", START)
        assert sorted(other.take_over(WORKER, LOST, LATER)) == ["run-1", "run-2"]
        for run_id in ("run-1", "run-2"):
            assert other.read_entries(run_id)[:-1] == pieces(3)
        assert (count(raw, "journal"), count(raw, "run_entries")) == (0, 4)
    sql_store.tidy(LATER)
    with pytest.raises(WorkerLost):
        sql_store.append_now(WORKER, Batch([("run-1", pieces(1, first=4))]))

    assert (count(raw, "journal"), count(raw, "run_entries")) == (0, 4)


def test_two_processes_leave_each_others_rows_alone(
    sql_store: SqliteStore, sql_path: str, raw: sqlite3.Connection
) -> None:
    with closing(SqliteStore(sql_path)) as other:
        other.register_worker("other", START)
        begin(sql_store, "run-1")
        begin(other, "run-2", worker_id="other")
        for seq in range(1, 100):
            sql_store.append_now(WORKER, Batch([("run-1", pieces(1, first=seq))]))
            other.append_now("other", Batch([("run-2", pieces(1, first=seq))]))
        sql_store.tidy(LATER)

        assert count(raw, "journal") == 99
        for store in (sql_store, other):
            for run_id in ("run-1", "run-2"):
                assert store.read_entries(run_id) == pieces(99)


def test_worker_that_lost_sight_of_its_journal_reads_it(
    sql_store: SqliteStore, sql_path: str, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    append_each(sql_store, pieces(COMPACT_PIECES + 5))
    with closing(SqliteStore(sql_path)) as again:
        again.append_now(WORKER, Batch([("run-1", pieces(1, first=COMPACT_PIECES + 6))]))
        assert again.read_entries("run-1") == pieces(COMPACT_PIECES + 6)
        last = pieces(1, first=COMPACT_PIECES + 7)
        again.append_now(WORKER, ended(run_record(session_id="run-1"), last))
        for _ in range(2):
            again.tidy(LATER)

        assert again.read_entries("run-1")[:-1] == pieces(COMPACT_PIECES + 7)
        assert count(raw, "journal") == 0


def test_rows_of_unknown_workers_are_cleared(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    append_each(sql_store, pieces(1))
    raw.execute("INSERT INTO journal (worker_id, entries) VALUES ('nobody', '[]')")
    sql_store.delete_old(None, START)

    assert raw.execute("SELECT DISTINCT worker_id FROM journal").fetchall() == [(WORKER,)]


def test_rows_of_older_code_come_before_those_of_the_journal(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    row = "INSERT INTO run_entries VALUES ('run-1', 1, 1, '[[\"text\", \"1 \", 1700000000.0]]')"
    raw.execute(row)
    append_each(sql_store, pieces(2, first=2))

    found = sql_store.read_entries("run-1")
    assert found == [Entry(1, "text", "1 ", 1700000000.0), *pieces(2, first=2)]
