"""What every store does with time: it ends the runs of lost workers, folds, and deletes what is
old."""

from __future__ import annotations

import pytest

from app.core.entries import Entry
from app.core.run_errors import RunInterrupted
from app.core.sessions import ChatSession
from app.core.store import Batch, WorkerLost
from app.core.usage import Usage
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.manual import OneStoreThread, at_once
from tests.support.samples import continuing, ended, run_end, run_record, texts, turn_of

LOST = RunInterrupted().end_data()
LATER = START + 60
BOTH_WAYS = pytest.mark.parametrize("way", ["append_now", "append"])


def complete(store: Store, run_id: str, *pieces: str, session_id: str = "s-1") -> None:
    store.begin_turn(turn_of(run_id, session_id=session_id))
    store.append(WORKER, ended(run_record(run_id, session_id=session_id), texts(*pieces)))


def kinds(store: Store, run_id: str = "run-1") -> list[tuple[int, str]]:
    return [(entry.seq, entry.kind) for entry in store.read_entries(run_id)]


# --- workers ------------------------------------------------------------------------------------


def test_runs_of_a_lost_worker_are_interrupted_with_their_text(store: Store) -> None:
    store.begin_turn(turn_of())
    pieces = [Entry(1, "text", "Hel", START + 2), Entry(2, "text", "lo", START + 7)]
    store.append(WORKER, Batch([("run-1", pieces)]))

    assert store.take_over(WORKER, LOST, LATER) == ["run-1"]
    run = store.find_run("ann", "run-1")
    assert run and (run.status, run.finish_reason) == ("interrupted", "interrupted")
    assert (run.error, run.last_seq, run.ended_at) == (LOST, 3, LATER)
    assert (run.usage, run.duration_s, run.ttft_s) == (Usage(1, 2, "estimated"), 7.0, 2.0)
    reply = store.read_branch("ann", "s-1")[-1]
    assert (reply.text, reply.status, reply.usage) == ("Hello", "interrupted", run.usage)


def test_end_of_a_lost_worker_is_in_the_log(store: Store) -> None:
    store.begin_turn(turn_of())
    store.take_over(WORKER, LOST, LATER)

    [end] = store.read_entries("run-1")
    assert (end.seq, end.kind, end.at) == (1, "end", LATER)
    assert (end.data["status"], end.data["error"], end.data["ttft_s"]) == (
        "interrupted",
        LOST,
        None,
    )


def test_session_of_a_lost_worker_is_free_again(store: Store) -> None:
    store.register_worker("other", START)
    store.begin_turn(turn_of())
    store.take_over(WORKER, LOST, LATER)

    found = store.find_session("ann", "s-1")
    assert found and (found.active_run_id, found.updated_at) == (None, LATER)
    branch = store.begin_turn(turn_of("run-2", worker_id="other"))
    assert [m.id for m in branch] == ["run-1-message", "run-1-reply", "run-2-message"]


def test_worker_is_taken_over_once(store: Store) -> None:
    store.begin_turn(turn_of())
    runtime = OneStoreThread()
    taken = at_once(20, lambda _: runtime.run_blocking(store.take_over, WORKER, LOST, LATER))

    assert sorted(taken) == [[]] * 19 + [["run-1"]]
    assert kinds(store) == [(1, "end")]


def test_ended_runs_of_a_lost_worker_stay_as_they_are(store: Store) -> None:
    complete(store, "run-1", "Hello")

    assert store.take_over(WORKER, LOST, LATER) == []
    run = store.find_run("ann", "run-1")
    assert run and (run.status, run.last_seq) == ("completed", 2)


@BOTH_WAYS
def test_worker_taken_for_dead_is_refused(store: Store, way: str) -> None:
    store.begin_turn(turn_of())
    store.take_over(WORKER, LOST, LATER)

    with pytest.raises(WorkerLost):
        getattr(store, way)(WORKER, ended(run_record(), texts("a")))
    assert kinds(store) == [(1, "end")]
    run = store.find_run("ann", "run-1")
    assert run and run.status == "interrupted"


def test_worker_taken_for_dead_begins_nothing(store: Store) -> None:
    store.take_over(WORKER, LOST, LATER)

    with pytest.raises(WorkerLost):
        store.begin_turn(turn_of())
    assert store.find_session("ann", "s-1") is None


def test_other_worker_goes_on(store: Store) -> None:
    store.register_worker("other", START)
    store.begin_turn(turn_of(worker_id="other"))
    store.take_over(WORKER, LOST, LATER)
    store.append("other", Batch([("run-1", texts("a"))]))

    assert store.read_entries("run-1") == texts("a")


@BOTH_WAYS
def test_worker_appends_to_its_own_runs_only(store: Store, way: str) -> None:
    store.register_worker("other", START)
    store.begin_turn(turn_of())
    getattr(store, way)("other", ended(run_record(), texts("a")))

    assert store.read_entries("run-1") == []
    run = store.find_run("ann", "run-1")
    assert run and run.status == "running"


@BOTH_WAYS
def test_nothing_comes_after_an_end(store: Store, way: str) -> None:
    complete(store, "run-1", "Hello")
    getattr(store, way)(WORKER, Batch([("run-1", texts("late", first=3))]))

    assert kinds(store) == [(1, "text"), (2, "end")]


def test_lost_continuation_keeps_the_text_of_both(store: Store) -> None:
    store.begin_turn(turn_of("run-1"))
    cut = run_end("stopped", "stopped")
    store.append(WORKER, ended(run_record("run-1"), texts("Hel"), cut))
    store.begin_turn(continuing("run-2", "run-1-reply"))
    store.append(WORKER, Batch([("run-2", texts("lo"))]))
    store.take_over(WORKER, LOST, LATER)

    assert [m.text for m in store.read_branch("ann", "s-1")] == ["hi", "Hello"]


# --- folding ------------------------------------------------------------------------------------


def test_old_entries_become_one_piece_and_the_end(store: Store) -> None:
    complete(store, "run-1", "a", "b", "c")
    before = store.read_entries("run-1")

    assert store.fold(LATER, 10) == 1
    assert store.read_entries("run-1") == [Entry(3, "text", "abc", START), before[-1]]
    run = store.find_run("ann", "run-1")
    assert run and (run.folded, run.last_seq) == (True, 4)


def test_other_entries_than_text_are_folded_away(store: Store) -> None:
    store.begin_turn(turn_of())
    entries = [Entry(1, "reasoning", "hm", START), Entry(2, "status", {"step": 1}, START)]
    store.append(WORKER, ended(run_record(), entries))
    store.fold(LATER, 10)

    assert kinds(store) == [(3, "end")]


def test_folding_takes_as_many_as_it_is_told_and_each_once(store: Store) -> None:
    for number in (1, 2, 3):
        complete(store, f"run-{number}", "a", session_id=f"s-{number}")

    assert [store.fold(LATER, 2) for _ in range(3)] == [2, 1, 0]


def test_young_and_running_runs_are_not_folded(store: Store) -> None:
    complete(store, "run-1", "a", "b")
    store.begin_turn(turn_of("run-2", session_id="s-2"))
    store.append(WORKER, Batch([("run-2", texts("x", "y"))]))

    assert store.fold(START + 2, 10) == 0
    assert store.fold(LATER, 10) == 1
    assert kinds(store, "run-2") == [(1, "text"), (2, "text")]


def test_entries_beyond_a_cursor_are_read(store: Store) -> None:
    store.begin_turn(turn_of())
    store.append(WORKER, Batch([("run-1", texts("a", "b"))]))
    store.append(WORKER, Batch([("run-1", texts("c", first=3))]))

    assert store.read_entries("run-1", 1) == texts("b", "c", first=2)
    assert store.read_entries("run-1", 3) == store.read_entries("run-1", 9) == []


# --- deleting what is old -----------------------------------------------------------------------


def make_sessions(store: Store) -> None:
    for name, listed in (("listed", True), ("unlisted", False)):
        for age, at in (("old", START), ("new", LATER)):
            made = ChatSession("ann", f"{age} {name}", at, at, listed=listed)
            store.create_session(made)


def left(store: Store) -> set[str]:
    names = ("old listed", "new listed", "old unlisted", "new unlisted")
    return {name for name in names if store.find_session("ann", name)}


def test_listed_sessions_stay_for_ever_unless_told(store: Store) -> None:
    make_sessions(store)

    assert store.delete_old(None, LATER) == 1
    assert left(store) == {"old listed", "new listed", "new unlisted"}


def test_each_kind_of_session_has_its_own_time(store: Store) -> None:
    make_sessions(store)

    assert store.delete_old(LATER, START) == 1
    assert left(store) == {"new listed", "old unlisted", "new unlisted"}


def test_deleting_what_is_old_leaves_nothing_of_it(store: Store) -> None:
    complete(store, "run-1", "a")
    store.delete_old(LATER, LATER)

    assert store.find_run("ann", "run-1") is None
    assert (store.read_entries("run-1"), store.read_branch("ann", "s-1")) == ([], [])


def test_session_with_a_run_under_way_is_not_old(store: Store) -> None:
    store.begin_turn(turn_of())

    assert store.delete_old(LATER, LATER) == 0
    assert store.find_session("ann", "s-1") is not None


def test_worker_lost_long_ago_is_still_refused(store: Store) -> None:
    store.begin_turn(turn_of())
    store.take_over(WORKER, LOST, START)
    store.delete_old(None, LATER)

    with pytest.raises(WorkerLost):
        store.append(WORKER, Batch([("run-1", texts("a"))]))


def test_probe_changes_nothing(store: Store) -> None:
    complete(store, "run-1", "a")
    before = store.find_session("ann", "s-1")
    store.set_patience(0.5)
    store.probe()

    assert store.find_session("ann", "s-1") == before
    store.append(WORKER, Batch())
