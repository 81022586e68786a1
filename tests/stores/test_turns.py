"""What every store promises of a start: joined by its key, or carrying on the last reply."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import IdempotencyConflict, InvalidRequest, SessionBusy
from app.core.messages import KnownBranch, Message
from app.core.runs import KEY_TTL_S, AlreadyStarted
from app.core.store import Batch
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


# --- a branch that is known -----------------------------------------------------------------------


def known(messages: list[Message]) -> KnownBranch:
    """Return what a caller knows that has read these messages before."""
    return KnownBranch(messages, {one.id: place for place, one in enumerate(messages)})


def grown(store: Store, turns: int) -> list[Message]:
    """Return the branch of a session that has had some turns."""
    for number in range(1, turns + 1):
        store.begin_turn(turn_of(f"run-{number}", at=START + number))
        store.append(WORKER, ended(run_record(f"run-{number}"), texts(f"reply {number}")))
    return store.read_branch("ann", "s-1")


@pytest.mark.parametrize("read_before", [0, 1, 2, 6, 11, 12, 40])
def test_what_is_known_of_a_branch_changes_nothing(store: Store, read_before: int) -> None:
    branch = grown(store, 20)
    turn = replace(turn_of("run-21", at=START + 30), known=known(branch[:read_before]))

    assert store.begin_turn(turn) == [*branch, replace(turn.messages[0], parent_id="run-20-reply")]


def test_what_others_added_since_is_seen(store: Store) -> None:
    before = grown(store, 3)
    store.begin_turn(turn_of("run-4", at=START + 8))
    store.append(WORKER, ended(run_record("run-4"), texts("from elsewhere")))
    turn = replace(turn_of("run-5", at=START + 9), known=known(before))

    answered = store.begin_turn(turn)
    assert [one.id for one in answered[-3:]] == ["run-4-message", "run-4-reply", "run-5-message"]
    assert answered[-2].text == "from elsewhere"


def test_known_branch_that_is_not_in_use_any_more_is_passed_over(store: Store) -> None:
    branch = grown(store, 2)
    other = replace(turn_of("run-3", at=START + 8), at_leaf=False, parent_id=None)
    store.begin_turn(other)
    store.append(WORKER, ended(run_record("run-3"), texts("new")))
    turn = replace(turn_of("run-4", at=START + 9), known=known(branch))

    ids = [one.id for one in store.begin_turn(turn)]
    assert ids == ["run-3-message", "run-3-reply", "run-4-message"]


def test_known_branch_of_a_session_made_anew_is_passed_over(store: Store) -> None:
    branch = grown(store, 2)
    store.delete_session("ann", "s-1")
    turn = replace(turn_of("run-3", at=START + 9), known=known(branch))

    assert [one.id for one in store.begin_turn(turn)] == ["run-3-message"]


def test_known_reply_that_is_carried_on_is_read_anew(store: Store) -> None:
    cut(store, "run-1", "Hel")
    branch = store.read_branch("ann", "s-1")
    store.begin_turn(
        replace(continuing("run-2", "run-1-reply", START + 5), known=known(branch[:1]))
    )
    store.append(WORKER, Batch([], []))
    assert store.read_branch("ann", "s-1")[-1].status == "running"


def test_what_its_dialect_remembers_is_kept_with_the_run(store: Store) -> None:
    options = {"instructions": "Be brief. €", "tools": [{"name": "f"}], "store": False}
    store.begin_turn(turn_of(options=options))
    store.begin_turn(turn_of("run-2", session_id="s-2"))
    store.append(WORKER, ended(run_record(), texts("a")))

    found = [store.find_run("ann", run_id) for run_id in ("run-1", "run-2")]
    assert [one.options for one in found if one is not None] == [options, None]
