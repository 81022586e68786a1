"""What is read of a run is the same wherever its entries lie: in the journal, compacted, both."""

from __future__ import annotations

import pytest

from app.core.entries import Entry
from app.core.run_errors import RunInterrupted
from app.core.store import Batch, WorkerLost
from app.stores.journal import COMPACT_AFTER_S, COMPACT_PIECES
from app.stores.journal_commit import PIECES_A_ROW
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.journals import append_each, pieces
from tests.support.samples import ended, run_record, turn_of

LOST = RunInterrupted().end_data()
LATER = START + 60
BOTH_WAYS = pytest.mark.parametrize("way", ["append_now", "append"])
STEPS = pytest.mark.parametrize("step_s", [0.0, 0.4, -0.4, 3 * COMPACT_AFTER_S])


@STEPS
@BOTH_WAYS
def test_each_commit_adds_to_what_is_read(store: Store, way: str, step_s: float) -> None:
    store.begin_turn(turn_of())
    entries = pieces(12, step_s=step_s)
    for entry in entries:
        getattr(store, way)(WORKER, Batch([("run-1", [entry])]))

        assert store.read_entries("run-1") == entries[: entry.seq]


def test_run_of_many_pieces_is_read_whole(store: Store) -> None:
    store.begin_turn(turn_of())
    entries = pieces(2 * COMPACT_PIECES + 10)
    append_each(store, entries)

    assert store.read_entries("run-1") == entries


@pytest.mark.parametrize("after", [0, 1, 254, 255, 256, 257, 258, 264, 265, 266, 999])
def test_cursor_may_be_anywhere(store: Store, after: int) -> None:
    store.begin_turn(turn_of())
    entries = pieces(COMPACT_PIECES + 10)
    append_each(store, entries)

    assert store.read_entries("run-1", after) == entries[after:]


def test_silent_run_is_read_alike_before_and_after_it_is_compacted(store: Store) -> None:
    store.begin_turn(turn_of())
    append_each(store, pieces(3))
    for now in (START, LATER, LATER):
        store.tidy(now)

        assert store.read_entries("run-1") == pieces(3)
        assert store.read_entries("run-1", 2) == pieces(1, first=3)
    append_each(store, pieces(2, first=4))
    assert store.read_entries("run-1") == pieces(5)


@STEPS
@BOTH_WAYS
def test_end_comes_after_all_that_waited(store: Store, way: str, step_s: float) -> None:
    store.begin_turn(turn_of())
    entries = pieces(5, step_s=step_s)
    append_each(store, entries[:3])
    batch = ended(run_record(), entries[3:])
    getattr(store, way)(WORKER, batch)

    assert store.read_entries("run-1") == [*entries[:3], *batch.entries[0][1]]
    run = store.find_run("ann", "run-1")
    assert run and run.last_seq == 6


def test_end_alone_comes_after_all_that_waited(store: Store) -> None:
    store.begin_turn(turn_of())
    append_each(store, pieces(3))
    last = Entry(4, "end", {}, START)
    store.append(WORKER, Batch([("run-1", [last])], ended(run_record(), []).ends))

    assert store.read_entries("run-1") == [*pieces(3), last]


def test_more_than_a_row_holds_may_come_with_an_end(store: Store) -> None:
    store.begin_turn(turn_of())
    batch = ended(run_record(), pieces(2 * PIECES_A_ROW + 1))
    store.append(WORKER, batch)

    assert store.read_entries("run-1") == batch.entries[0][1]
    assert len(store.read_entries("run-1", PIECES_A_ROW)) == PIECES_A_ROW + 2


def test_runs_of_a_batch_that_go_on_and_end_do_not_mix(store: Store) -> None:
    for run_id in ("run-1", "run-2"):
        store.begin_turn(turn_of(run_id, session_id=run_id))
        append_each(store, pieces(2), run_id)
    batch = ended(run_record("run-1", session_id="run-1"), pieces(1, first=3))
    batch.entries.insert(0, ("run-2", pieces(2, first=3)))
    store.append_now(WORKER, batch)

    assert [entry.kind for entry in store.read_entries("run-1")] == ["text"] * 3 + ["end"]
    assert store.read_entries("run-2") == pieces(4)


@pytest.mark.parametrize("waiting", [0, 3])
def test_lost_worker_leaves_all_it_committed(store: Store, waiting: int) -> None:
    store.begin_turn(turn_of())
    entries = pieces(COMPACT_PIECES + 1 + waiting)
    append_each(store, entries)
    store.take_over(WORKER, LOST, LATER)

    found = store.read_entries("run-1")
    assert (found[:-1], found[-1].kind) == (entries, "end")
    run = store.find_run("ann", "run-1")
    assert run and run.last_seq == len(entries) + 1
    text = "".join(entry.data for entry in entries)
    assert store.read_branch("ann", "s-1")[-1].text == text


def test_lost_worker_writes_nothing_more(store: Store) -> None:
    store.begin_turn(turn_of())
    append_each(store, pieces(3))
    store.take_over(WORKER, LOST, LATER)
    before = store.read_entries("run-1")
    store.tidy(LATER)
    for batch in (Batch([("run-1", pieces(1, first=4))]), Batch()):
        with pytest.raises(WorkerLost):
            store.append_now(WORKER, batch)

    assert store.read_entries("run-1") == before


def test_deleted_session_takes_what_waits_with_it(store: Store) -> None:
    for run_id in ("run-1", "run-2"):
        store.begin_turn(turn_of(run_id, session_id=run_id))
        append_each(store, pieces(3), run_id)
    store.delete_session("ann", "run-1")
    assert store.read_entries("run-1") == []
    append_each(store, pieces(1, first=4))
    store.tidy(LATER)

    assert store.read_entries("run-1") == []
    assert store.read_entries("run-2") == pieces(3)


def test_two_workers_do_not_mix(store: Store) -> None:
    store.register_worker("other", START)
    store.begin_turn(turn_of("run-1", session_id="s-1"))
    store.begin_turn(turn_of("run-2", session_id="s-2", worker_id="other"))
    for seq in range(1, 6):
        store.append_now(WORKER, Batch([("run-1", pieces(1, first=seq))]))
        store.append_now("other", Batch([("run-2", pieces(1, first=seq))]))
    store.take_over(WORKER, LOST, LATER)

    assert store.read_entries("run-1")[:-1] == store.read_entries("run-2") == pieces(5)
    store.append("other", ended(run_record("run-2", session_id="s-2"), pieces(1, first=6)))
    assert [entry.seq for entry in store.read_entries("run-2")] == [1, 2, 3, 4, 5, 6, 7]
