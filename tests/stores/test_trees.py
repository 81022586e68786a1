"""What every store promises of a session's tree, of sessions that must exist, and of numbers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import IdempotencyConflict, InvalidRequest, NotFound, SessionBusy
from app.core.messages import Message
from app.core.runs import AlreadyStarted, Turn
from app.core.sessions import ChatSession
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.manual import OneStoreThread, at_once
from tests.support.samples import ended, run_record, texts, turn_of


def begin(store: Store, run_id: str, **fields: Any) -> list[str]:
    """Store a turn with its end; return the ids of the branch that the model is given."""
    branch = store.begin_turn(placed(run_id, **fields))
    store.append(WORKER, ended(run_record(run_id), texts(run_id)))
    return [message.id for message in branch]


def placed(run_id: str, **fields: Any) -> Turn:
    """Return a turn at a time that its number gives; `fields` are of the turn."""
    return replace(turn_of(run_id, at=START + int(run_id[-1])), **fields)


def shown(store: Store) -> list[str]:
    return [message.id for message in store.read_branch("ann", "s-1")]


def parents(store: Store) -> dict[str, str | None]:
    return {one.id: one.parent_id for one in store.read_tree("ann", "s-1").values()}


# --- places -------------------------------------------------------------------------------------


def test_turn_that_is_not_at_the_leaf_hangs_on_its_parent(store: Store) -> None:
    begin(store, "run-1")
    begin(store, "run-2")

    given = begin(store, "run-3", at_leaf=False, parent_id="run-1-reply")
    assert given == ["run-1-message", "run-1-reply", "run-3-message"]
    assert shown(store) == [*given, "run-3-reply"]
    assert parents(store)["run-2-message"] == parents(store)["run-3-message"] == "run-1-reply"


def test_turn_without_a_parent_is_a_root(store: Store) -> None:
    begin(store, "run-1")

    assert begin(store, "run-2", at_leaf=False, parent_id=None) == ["run-2-message"]
    assert shown(store) == ["run-2-message", "run-2-reply"]
    assert parents(store)["run-1-message"] is parents(store)["run-2-message"] is None


def test_turn_without_messages_is_another_reply(store: Store) -> None:
    begin(store, "run-1")

    given = begin(store, "run-2", messages=(), at_leaf=False, parent_id="run-1-message")
    assert given == ["run-1-message"]
    assert shown(store) == ["run-1-message", "run-2-reply"]
    assert parents(store)["run-1-reply"] == parents(store)["run-2-reply"] == "run-1-message"


def test_parent_does_not_count_at_the_leaf(store: Store) -> None:
    begin(store, "run-1")
    begin(store, "run-2")
    begin(store, "run-3", parent_id="run-1-message")

    assert parents(store)["run-3-message"] == "run-2-reply"


def test_several_messages_are_a_chain_after_their_parent(store: Store) -> None:
    begin(store, "run-1")
    [first] = turn_of("run-2").messages
    messages = (first, replace(first, id="second", role="system"))

    given = begin(store, "run-2", messages=messages, at_leaf=False, parent_id="run-1-message")
    assert given == ["run-1-message", "run-2-message", "second"]


def test_next_turn_goes_on_in_the_new_branch(store: Store) -> None:
    begin(store, "run-1")
    begin(store, "run-2", at_leaf=False, parent_id=None)

    assert begin(store, "run-3") == ["run-2-message", "run-2-reply", "run-3-message"]


def test_busy_session_takes_no_other_branch(store: Store) -> None:
    begin(store, "run-1")
    store.begin_turn(turn_of("run-2"))

    with pytest.raises(SessionBusy):
        begin(store, "run-3", at_leaf=False, parent_id=None)
    assert "run-3-message" not in store.read_tree("ann", "s-1")


def test_other_branches_reply_keeps_its_text_and_status(store: Store) -> None:
    begin(store, "run-1")
    before = store.read_tree("ann", "s-1")["run-1-reply"]
    begin(store, "run-2", messages=(), at_leaf=False, parent_id="run-1-message")

    tree = store.read_tree("ann", "s-1")
    assert tree["run-1-reply"] == before
    assert (before.text, before.status, before.run_id) == ("run-1", "completed", "run-1")
    assert (tree["run-2-reply"].text, tree["run-2-reply"].run_id) == ("run-2", "run-2")


# --- trees --------------------------------------------------------------------------------------


def test_tree_is_all_messages_in_the_order_they_came(store: Store) -> None:
    begin(store, "run-1")
    begin(store, "run-2", at_leaf=False, parent_id=None)
    begin(store, "run-3", messages=(), at_leaf=False, parent_id="run-1-message")

    tree = store.read_tree("ann", "s-1")
    assert list(tree) == [
        "run-1-message",
        "run-1-reply",
        "run-2-message",
        "run-2-reply",
        "run-3-reply",
    ]
    assert all(message_id == message.id for message_id, message in tree.items())


def test_branch_in_use_is_of_the_tree(store: Store) -> None:
    begin(store, "run-1")
    begin(store, "run-2", at_leaf=False, parent_id="run-1-reply")

    tree = store.read_tree("ann", "s-1")
    assert all(tree[message.id] == message for message in store.read_branch("ann", "s-1"))


def test_tree_of_nobody_or_somebody_else_is_empty(store: Store) -> None:
    begin(store, "run-1")
    store.create_session(ChatSession("ann", "empty", START, START))

    for owner, session_id in (("bob", "s-1"), ("ann", "gone"), ("ann", "empty")):
        assert store.read_tree(owner, session_id) == {}


def test_tree_that_was_read_is_a_copy(store: Store) -> None:
    begin(store, "run-1")
    tree: dict[str, Message] = store.read_tree("ann", "s-1")
    tree.clear()

    assert len(store.read_tree("ann", "s-1")) == 2


def test_tree_goes_with_its_session(store: Store) -> None:
    begin(store, "run-1")
    store.delete_session("ann", "s-1")

    assert store.read_tree("ann", "s-1") == {}


# --- sessions that must exist -------------------------------------------------------------------


def test_turn_of_a_session_that_must_exist_makes_none(store: Store) -> None:
    with pytest.raises(NotFound):
        begin(store, "run-1", must_exist=True)

    assert store.find_session("ann", "s-1") is store.find_run("ann", "run-1") is None
    assert (store.read_tree("ann", "s-1"), store.count_sessions()) == ({}, 0)


def test_session_of_somebody_else_does_not_exist(store: Store) -> None:
    store.create_session(ChatSession("bob", "s-1", START, START))

    with pytest.raises(NotFound):
        begin(store, "run-1", must_exist=True)
    assert store.find_run("ann", "run-1") is None


def test_session_that_exists_is_used(store: Store) -> None:
    store.create_session(ChatSession("ann", "s-1", START, START))

    assert begin(store, "run-1", must_exist=True) == ["run-1-message"]


def test_deleted_session_does_not_exist(store: Store) -> None:
    begin(store, "run-1")
    store.delete_session("ann", "s-1")

    with pytest.raises(NotFound):
        begin(store, "run-2", must_exist=True)


@pytest.mark.parametrize(
    "request_hash,raised", [("hash-1", AlreadyStarted), ("hash-2", IdempotencyConflict)]
)
def test_key_is_looked_at_before_the_session(
    store: Store, request_hash: str, raised: type[Exception]
) -> None:
    key = "key-1"
    store.begin_turn(turn_of("run-1", idempotency_key=key, request_hash="hash-1"))
    again = turn_of("run-2", session_id="gone", idempotency_key=key, request_hash=request_hash)

    with pytest.raises(raised):
        store.begin_turn(replace(again, must_exist=True))


# --- parents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("parent_id", [None, "run-1-message", "run-1-reply"])
def test_turn_hangs_on_the_message_it_names(store: Store, parent_id: str | None) -> None:
    begin(store, "run-1")
    begin(store, "run-2", at_leaf=False, parent_id=parent_id, parent_must_exist=True)

    assert store.read_tree("ann", "s-1")["run-2-message"].parent_id == parent_id


@pytest.mark.parametrize("parent_id", ["gone", "run-1-reply"])
def test_turn_under_a_message_of_no_session_of_its_own_changes_nothing(
    store: Store, parent_id: str
) -> None:
    begin(store, "run-1")
    turn = replace(turn_of("run-2", session_id="s-2"), at_leaf=False, parent_id=parent_id)

    with pytest.raises(InvalidRequest) as refused:
        store.begin_turn(replace(turn, parent_must_exist=True))
    assert set(refused.value.fields) == {"parent_id"}
    assert store.find_session("ann", "s-2") is store.find_run("ann", "run-2") is None


def test_leaf_is_used_from_then_on(store: Store) -> None:
    begin(store, "run-1")
    store.use_leaf("ann", "s-1", "run-1-message")

    assert [one.id for one in store.read_branch("ann", "s-1")] == ["run-1-message"]


def test_leaf_is_not_changed_while_a_run_is_under_way(store: Store) -> None:
    store.begin_turn(placed("run-1"))

    with pytest.raises(SessionBusy) as refused:
        store.use_leaf("ann", "s-1", "run-1-message")
    assert refused.value.run_id == "run-1"
    assert store.read_branch("ann", "s-1")[-1].id == "run-1-reply"


def test_leaf_of_a_session_that_is_not_there_is_not_found(store: Store) -> None:
    begin(store, "run-1")

    with pytest.raises(NotFound):
        store.use_leaf("bob", "s-1", "run-1-message")


# --- numbers ------------------------------------------------------------------------------------


def test_numbers_of_each_owner_begin_with_one(store: Store) -> None:
    assert [store.next_number("ann") for _ in range(3)] == [1, 2, 3]
    assert [store.next_number("bob") for _ in range(2)] == [1, 2]
    assert store.next_number("ann") == 4


def test_number_is_not_given_again_when_its_session_is_gone(store: Store) -> None:
    assert store.next_number("ann") == 1
    begin(store, "run-1")
    store.delete_session("ann", "s-1")

    assert store.next_number("ann") == 2


def test_many_at_once_get_numbers_of_their_own(store: Store) -> None:
    runtime = OneStoreThread()
    numbers = at_once(50, lambda _: runtime.run_blocking(store.next_number, "ann"))

    assert sorted(numbers) == list(range(1, 51))


def test_two_processes_never_give_the_same_number(sql_path: str) -> None:
    with closing(SqliteStore(sql_path)) as first, closing(SqliteStore(sql_path)) as second:
        stores = (first, second)
        taken = at_once(2, lambda index: [stores[index].next_number("ann") for _ in range(100)])

    assert sorted(taken[0] + taken[1]) == list(range(1, 201))
    assert all(numbers == sorted(numbers) for numbers in taken)


def test_numbers_outlive_the_process(sql_store: SqliteStore, sql_path: str) -> None:
    assert [sql_store.next_number("ann") for _ in range(2)] == [1, 2]
    sql_store.close()

    with closing(SqliteStore(sql_path)) as again:
        assert again.next_number("ann") == 3


# --- what is listed -----------------------------------------------------------------------------


def test_session_that_was_not_listed_is_once_it_is_gone_on_with(store: Store) -> None:
    unlisted = replace(turn_of("run-1").session, listed=False)
    begin(store, "run-1", session=unlisted)
    assert store.list_sessions("ann") == []

    begin(store, "run-2")
    assert [one.id for one in store.list_sessions("ann")] == ["s-1"]
