"""News of a session, as the service tells it."""

from __future__ import annotations

import pytest

from app.chats.request import ChatRequest
from app.chats.sessions import SessionService
from app.core.broker import Listener, News
from app.core.errors import NotFound
from app.core.messages import text_parts
from app.providers.catalog import ProviderCatalog
from app.stores.memory import MemoryStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime


def heard(listener: Listener) -> list[News]:
    found = []
    while one := listener.next(0):
        found.append(one)
    return found


def test_listener_is_told_of_the_run_under_way(sessions: SessionService) -> None:
    found = sessions.start("ann", ChatRequest(text_parts("hi"), session_id="s-1")).found
    [told] = heard(sessions.listen("ann", "s-1"))

    assert told.name == "run_started"
    assert told.data == {"run_id": found.record.id, "session_id": "s-1", "seq": 0}


def test_listener_is_told_of_starts_and_ends(
    runtime: ManualRuntime, clock: HandClock, catalog: ProviderCatalog, memory_store: MemoryStore
) -> None:
    sessions = make_sessions(memory_store, runtime, clock.clock, catalog)
    sessions.create("ann", "s-1")
    listener = sessions.listen("ann", "s-1")
    assert listener.next(0) is None

    run_id = sessions.start("ann", ChatRequest(text_parts("hi"), session_id="s-1")).found.record.id
    runtime.run()
    told = heard(listener)
    assert [(one.name, one.data["seq"]) for one in told] == [("run_started", 0), ("run_ended", 3)]
    assert told[1].data["status"] == "completed"
    assert {one.data["run_id"] for one in told} == {run_id}


def test_foreign_session_is_not_listened_to(sessions: SessionService) -> None:
    sessions.create("ann", "s-1")
    with pytest.raises(NotFound):
        sessions.listen("bob", "s-1")

    assert sessions._broker.count_listeners() == 0


def test_who_listens_is_told_of_another_branch(
    runtime: ManualRuntime, sessions: SessionService
) -> None:
    sessions.start("ann", ChatRequest(text_parts("hi"), session_id="s-1"))
    runtime.run()
    listener = sessions.listen("ann", "s-1")
    leaf_id = sessions.messages("ann", "s-1")[-1].id
    sessions.choose_branch("ann", "s-1", leaf_id)

    data = {"session_id": "s-1", "leaf_id": leaf_id}
    assert heard(listener) == [News("branch_changed", data)]


def test_who_listens_is_told_that_a_session_is_gone(
    sessions: SessionService, runtime: ManualRuntime
) -> None:
    for session_id in ("s-1", "s-2"):
        sessions.create("ann", session_id)
    own, other = (sessions.listen("ann", session_id) for session_id in ("s-1", "s-2"))
    of_all = sessions.listen_to_all("ann", runtime.new_waiter())
    sessions.delete("ann", "s-1")

    gone = News("session_deleted", {"session_id": "s-1"})
    assert (heard(own), heard(other), heard(of_all)) == ([gone], [], [gone])


def test_who_listens_is_told_that_all_sessions_are_gone(
    sessions: SessionService, runtime: ManualRuntime
) -> None:
    for owner in ("ann", "bob"):
        sessions.create(owner, "s-1")
    own, foreign = (sessions.listen(owner, "s-1") for owner in ("ann", "bob"))
    of_all = sessions.listen_to_all("ann", runtime.new_waiter())
    sessions.delete_all("ann")

    gone = News("session_deleted", {"session_id": None})
    assert (heard(own), heard(foreign), heard(of_all)) == ([gone], [], [gone])
