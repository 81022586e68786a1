"""What every store promises of the runs under way: how many a caller has, which an owner has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import ALL_TAKEN, OverCapacity
from app.core.runs import AlreadyStarted, Turn
from tests.stores.conftest import Store
from tests.stores.test_waiting import OUTPUT, WORKER, YES, waiting
from tests.support.clock import START
from tests.support.samples import ended, run_record, texts, turn_of


def turn(run_id: str, caller: str = "user:ann", most: int = 2, **fields: Any) -> Turn:
    """Return a turn in a session of its own, of a caller that may have so many."""
    made = turn_of(run_id, session_id=f"of {run_id}", caller=caller, **fields)
    return replace(made, most_running=most)


def end(store: Store, run_id: str) -> None:
    store.append(WORKER, ended(run_record(run_id, session_id=f"of {run_id}"), texts("a")))


def test_caller_has_its_share(store: Store) -> None:
    store.begin_turn(turn("run-1"))
    store.begin_turn(turn("run-2"))
    with pytest.raises(OverCapacity) as refused:
        store.begin_turn(turn("run-3"))

    assert str(refused.value) == ALL_TAKEN
    assert store.find_session("ann", "of run-3") is None
    store.begin_turn(turn("run-4", caller="user:bob"))


def test_who_does_not_ask_is_counted_and_not_refused(store: Store) -> None:
    for number in range(3):
        store.begin_turn(turn(f"run-{number}", most=0))
    with pytest.raises(OverCapacity):
        store.begin_turn(turn("run-3", most=3))


def test_end_gives_the_place_back(store: Store) -> None:
    store.begin_turn(turn("run-1", most=1))
    end(store, "run-1")
    store.begin_turn(turn("run-2", most=1))

    record = store.find_run("ann", "run-1")
    assert record is not None and record.caller == ""


def test_death_of_a_worker_gives_its_places_back(store: Store) -> None:
    store.register_worker("other", START)
    store.begin_turn(turn("run-1", most=1, worker_id="other"))
    store.take_over("other", {}, START + 1, lambda *_: None)

    store.begin_turn(turn("run-2", most=1))


def test_key_joins_its_run_though_all_places_are_taken(store: Store) -> None:
    key = {"idempotency_key": "key-1", "request_hash": "hash-1"}
    store.begin_turn(turn("run-1", most=1, **key))
    with pytest.raises(AlreadyStarted):
        store.begin_turn(turn("run-2", most=1, **key))


def test_run_that_waits_has_no_place(store: Store) -> None:
    waiting(store, caller="user:ann")
    store.begin_turn(turn("run-2", most=1))

    record = store.find_run("ann", "run-1")
    assert record is not None and record.caller == ""


def test_run_that_goes_on_takes_a_place_of_who_answered(store: Store) -> None:
    waiting(store, caller="user:ann")
    store.begin_turn(turn("run-2", "user:bob"))
    store.begin_turn(turn("run-3", "user:cid"))
    by_bob = (WORKER, START + 1, "user:bob", 1)
    first = store.answer("ann", "run-1", [YES], *by_bob)
    assert first.branch is None  # one that leaves something to wait for takes none
    with pytest.raises(OverCapacity):
        store.answer("ann", "run-1", [OUTPUT], *by_bob)

    end(store, "run-2")
    last = store.answer("ann", "run-1", [OUTPUT], *by_bob)
    assert last.branch is not None and last.record.caller == "user:bob"
    with pytest.raises(OverCapacity):
        store.begin_turn(turn("run-4", "user:bob", most=1))


def test_runs_under_way_of_a_session_and_of_an_owner(store: Store) -> None:
    waiting(store)
    for run_id in ("run-2", "run-3", "run-4"):
        store.begin_turn(turn(run_id, most=0))
    store.begin_turn(turn_of("run-5", owner="bob", session_id="of run-2"))
    end(store, "run-4")

    def ids(owner: str, session_id: str | None = None) -> list[str]:
        return sorted(run.id for run in store.going_of(owner, session_id))

    assert ids("ann") == ["run-2", "run-3"]
    assert ids("ann", "of run-2") == ["run-2"]
    assert ids("ann", "s-1") == ids("ann", "none") == ids("cid") == []
    assert store.going_of("bob")[0] == store.find_run("bob", "run-5")
