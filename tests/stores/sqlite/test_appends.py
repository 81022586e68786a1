"""The journal of the SQL store: a row a commit, soon compacted and trimmed, whatever happens
between."""

from __future__ import annotations

import sqlite3

import pytest

from app.core.entries import Entry
from app.core.errors import StorageUnavailable
from app.core.messages import text_parts
from app.core.run_errors import RunInterrupted
from app.core.store import Batch
from app.stores.journal import COMPACT_AFTER_S, TRIM_ROWS
from app.stores.journal_commit import ROWS_A_SECOND
from app.stores.sqlite.appends import SqliteAppends
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER
from tests.support.clock import START
from tests.support.journals import append_each, begin, count, pieces
from tests.support.samples import ended, run_record

LOST = RunInterrupted().end_data()
LATER = START + 60


def test_commit_is_one_row_whatever_the_number_of_runs(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1", "run-2", "run-3")
    sql_store.append_now(WORKER, Batch([(f"run-{n}", pieces(2)) for n in (1, 2, 3)]))

    assert (count(raw, "journal"), count(raw, "run_entries")) == (1, 0)


def test_end_is_one_row_with_all_that_waited(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    append_each(sql_store, pieces(20))
    sql_store.append_now(WORKER, ended(run_record(session_id="run-1"), pieces(1, first=21)))

    rows = raw.execute("SELECT seq, last_seq FROM run_entries").fetchall()
    assert rows == [(1, 22)]


def test_silent_run_is_compacted_and_the_journal_is_empty(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    append_each(sql_store, pieces(20))
    sql_store.tidy(START + 0.5)
    assert (count(raw, "journal"), count(raw, "run_entries")) == (20, 0)
    sql_store.tidy(START + COMPACT_AFTER_S)

    assert (count(raw, "journal"), count(raw, "run_entries")) == (0, 1)


def test_rows_of_ended_runs_are_trimmed(sql_store: SqliteStore, raw: sqlite3.Connection) -> None:
    begin(sql_store, "run-1")
    append_each(sql_store, pieces(2))
    sql_store.append(WORKER, ended(run_record(session_id="run-1"), pieces(1, first=3)))
    sql_store.tidy(START)

    assert count(raw, "journal") == 0


def test_numbers_may_begin_again_when_the_journal_is_empty(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    for seq in range(1, 100):
        append_each(sql_store, pieces(1, first=seq))
        if seq % 7 == 0:
            sql_store.tidy(LATER)
            assert count(raw, "journal") == 0

    assert sql_store.read_entries("run-1") == pieces(99)


@pytest.mark.parametrize("duty", [True, False])
@pytest.mark.parametrize("step_s", [0.01, -0.01])
def test_journal_does_not_grow(
    sql_store: SqliteStore, raw: sqlite3.Connection, step_s: float, duty: bool
) -> None:
    """A run is busy, one silent after its first entry; the clock goes on, or back."""
    begin(sql_store, "busy", "silent")
    sql_store.append_now(WORKER, Batch([("silent", pieces(1))]))
    most = 0
    for entry in pieces(2000, step_s=step_s):
        sql_store.append_now(WORKER, Batch([("busy", [entry])]))
        if entry.seq % 100 == 0:
            most = max(most, count(raw, "journal"))
            if duty:
                sql_store.tidy(entry.at)

    assert most <= COMPACT_AFTER_S / abs(step_s) + 2 * TRIM_ROWS
    assert count(raw, "run_entries") <= 2000 / 100 + 5
    assert [entry.seq for entry in sql_store.read_entries("busy")] == list(range(1, 2001))
    assert sql_store.read_entries("silent") == pieces(1)


def test_more_silent_runs_than_a_second_takes_are_all_compacted(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    names = [f"run-{number}" for number in range(150)]
    begin(sql_store, *names)
    sql_store.append_now(WORKER, Batch([(name, pieces(1)) for name in names]))
    for _ in range(3):
        sql_store.tidy(LATER)

    assert (count(raw, "run_entries"), count(raw, "journal")) == (150, 0)


def test_what_a_long_pause_has_left_is_trimmed_bit_by_bit(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    rows = ROWS_A_SECOND - 10
    append_each(sql_store, pieces(rows, step_s=0.001))
    sql_store.append_now(WORKER, Batch([("run-1", [Entry(rows + 1, "text", "late", LATER)])]))
    assert count(raw, "journal") == rows + 1 - TRIM_ROWS
    sql_store.tidy(LATER)

    assert count(raw, "journal") == 1


def test_run_of_a_deleted_session_leaves_no_rows(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    append_each(sql_store, pieces(3))
    sql_store.delete_session("ann", "run-1")
    append_each(sql_store, pieces(1, first=4))
    sql_store.tidy(LATER)

    assert (count(raw, "journal"), count(raw, "run_entries")) == (0, 0)


# --- refusals -----------------------------------------------------------------------------------


def test_batch_that_was_refused_may_come_again(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    for seq in range(1, 300):
        batch = Batch([("run-1", pieces(1, first=seq, step_s=0.02))])
        raw.execute("BEGIN IMMEDIATE")
        assert sql_store.append_now(WORKER, batch) is False
        raw.execute("ROLLBACK")
        sql_store.append(WORKER, batch)

    assert sql_store.read_entries("run-1") == pieces(299, step_s=0.02)


def test_refused_compaction_is_done_later(sql_store: SqliteStore, raw: sqlite3.Connection) -> None:
    begin(sql_store, "run-1")
    append_each(sql_store, pieces(3))
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable):
        sql_store.tidy(LATER)
    raw.execute("ROLLBACK")
    sql_store.tidy(LATER)

    assert (count(raw, "journal"), count(raw, "run_entries")) == (0, 1)


def test_batch_that_fails_half_way_compacts_nothing(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1", "run-2")
    append_each(sql_store, pieces(3))
    bad = ended(run_record("run-2", session_id="run-2"), pieces(1))
    bad.ends[0] = bad.ends[0]._replace(content=text_parts("\ud800"))  # no UTF-8 can be made of it
    bad.entries.append(("run-1", [Entry(4, "text", "d", LATER)]))
    with pytest.raises(TypeError):
        sql_store.append_now(WORKER, bad)

    assert (count(raw, "journal"), count(raw, "run_entries")) == (3, 0)
    append_each(sql_store, pieces(1, first=4))
    assert sql_store.read_entries("run-1") == pieces(4)
    assert sql_store.read_entries("run-2") == []


def test_second_writer_is_refused_while_one_writes(
    sql_store: SqliteStore, raw: sqlite3.Connection
) -> None:
    begin(sql_store, "run-1")
    appends, batch = SqliteAppends(), Batch([("run-1", pieces(1))])
    refused = []

    def write_too(statement: str) -> None:
        appends.compact(raw, LATER)  # has nothing to say
        try:
            appends.append(raw, WORKER, batch)
        except sqlite3.OperationalError as error:
            refused.append(str(error))

    raw.set_trace_callback(write_too)
    appends.append(raw, WORKER, batch)
    raw.set_trace_callback(None)

    assert set(refused) == {"the journal is being written"}
    assert sql_store.read_entries("run-1") == pieces(1)
