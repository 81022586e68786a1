"""What every store promises of a start: joined by its key, or carrying on the last reply."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import IdempotencyConflict, InvalidRequest, SessionBusy
from app.core.runs import KEY_TTL_S, AlreadyStarted
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.manual import OneStoreThread, at_once
from tests.support.samples import continuing, ended, run_end, run_record, texts, turn_of

KEY: dict[str, Any] = {"idempotency_key": "key-1", "request_hash": "hash-1"}


def cut(store: Store, run_id: str = "run-1", *pieces: str) -> None:
    """Store a turn whose reply was stopped."""
    store.begin_turn(turn_of(run_id))
    store.append(WORKER, ended(run_record(run_id), texts(*pieces), run_end("stopped", "stopped")))


# --- keys ---------------------------------------------------------------------------------------


def test_key_finds_its_run(store: Store) -> None:
    store.begin_turn(turn_of(**KEY))

    found = store.find_key("ann", "key-1", START)
    assert found == run_record(**KEY)
    assert store.find_key("ann", "key-2", START) is None


def test_key_of_somebody_else_finds_nothing(store: Store) -> None:
    store.begin_turn(turn_of(**KEY))

    assert store.find_key("bob", "key-1", START) is None


def test_key_that_is_too_old_finds_nothing(store: Store) -> None:
    store.begin_turn(turn_of(**KEY))

    assert store.find_key("ann", "key-1", START + 0.1) is None


@pytest.mark.parametrize("has_ended", [False, True])
@pytest.mark.parametrize("session_id", ["s-1", "s-2"])
def test_second_start_with_a_key_is_told_of_the_first(
    store: Store, has_ended: bool, session_id: str
) -> None:
    store.begin_turn(turn_of(**KEY))
    if has_ended:
        store.append(WORKER, ended(run_record(), texts("a")))

    with pytest.raises(AlreadyStarted) as started:
        store.begin_turn(turn_of("run-2", session_id=session_id, **KEY))
    assert started.value.run_id == "run-1"
    assert store.find_run("ann", "run-2") is store.find_session("ann", "s-2") is None


def test_key_with_another_request_is_a_conflict(store: Store) -> None:
    store.begin_turn(turn_of(**KEY))

    with pytest.raises(IdempotencyConflict) as refused:
        store.begin_turn(turn_of("run-2", idempotency_key="key-1", request_hash="other"))
    assert refused.value.run_id == "run-1"


def test_key_starts_anew_after_its_time(store: Store) -> None:
    cut(store)
    store.begin_turn(turn_of("run-2", **KEY))
    store.append(WORKER, ended(run_record("run-2"), []))
    later = START + KEY_TTL_S + 1
    store.begin_turn(turn_of("run-3", at=later, created_at=later, **KEY))

    found = store.find_key("ann", "key-1", START + 1)
    assert found and found.id == "run-3"


def test_same_key_of_two_owners_is_two_runs(store: Store) -> None:
    store.begin_turn(turn_of("run-1", **KEY))
    store.begin_turn(turn_of("run-2", owner="bob", **KEY))

    found = store.find_key("bob", "key-1", START)
    assert found and found.id == "run-2"


def test_of_many_starts_at_once_with_a_key_one_begins(store: Store) -> None:
    runtime = OneStoreThread()

    def begin(index: int) -> str:
        turn = turn_of(f"run-{index}", session_id=f"s-{index}", **KEY)
        try:
            runtime.run_blocking(store.begin_turn, turn)
        except AlreadyStarted as started:
            return started.run_id
        return turn.run.id

    assert len(set(at_once(50, begin))) == 1
    assert store.count_sessions() == 1


# --- continuing ---------------------------------------------------------------------------------


def test_reply_is_carried_on_in_its_message(store: Store) -> None:
    cut(store, "run-1", "Hel")
    branch = store.begin_turn(continuing("run-2", "run-1-reply", START + 5))

    assert [(m.id, m.text) for m in branch] == [("run-1-message", "hi"), ("run-1-reply", "Hel")]
    reply = store.read_branch("ann", "s-1")[-1]
    assert (reply.status, reply.run_id, reply.text) == ("running", "run-2", "Hel")
    found = store.find_session("ann", "s-1")
    assert found and (found.message_count, found.active_run_id) == (2, "run-2")


def test_only_the_last_reply_is_carried_on(store: Store) -> None:
    cut(store, "run-1", "one")
    cut(store, "run-2", "two")
    before = store.find_session("ann", "s-1")

    with pytest.raises(InvalidRequest) as refused:
        store.begin_turn(continuing("run-3", "run-1-reply"))
    assert set(refused.value.fields) == {"run_id"}
    assert store.find_run("ann", "run-3") is None
    assert store.find_session("ann", "s-1") == before


def test_reply_of_a_session_that_is_gone_is_not_carried_on(store: Store) -> None:
    with pytest.raises(InvalidRequest):
        store.begin_turn(continuing("run-2", "run-1-reply"))
    assert store.find_session("ann", "s-1") is None


def test_reply_under_way_is_not_carried_on(store: Store) -> None:
    store.begin_turn(turn_of())

    with pytest.raises(SessionBusy):
        store.begin_turn(continuing("run-2", "run-1-reply"))
