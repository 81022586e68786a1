"""Sessions of an owner: made once, refused without a trace, deleted with what runs in them."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.chat_request import ChatRequest
from app.chats.session_map import SessionMap
from app.chats.session_service import SessionService
from app.runs.errors import InvalidRequest, NotFound, OverCapacity, SessionBusy
from app.runs.interfaces import Clock
from app.runs.run_service import RunService
from app.stores.memory import MemoryStore
from app.stores.sql import SqlStore
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime, OneStoreThread, at_once
from tests.support.scripted import ScriptedProvider


@pytest.fixture(params=["memory_store", "sql_store"])
def threaded(request: pytest.FixtureRequest, session_map: SessionMap) -> SessionService:
    """A service whose callers are threads; its store is either."""
    store: MemoryStore | SqlStore = request.getfixturevalue(request.param)
    runtime = OneStoreThread()
    return SessionService(store, session_map, RunService(store, runtime, "w"), runtime, Clock())


def ask(sessions: SessionService, message: str = "hi", **fields: Any) -> str:
    return sessions.start("ann", ChatRequest(message, **fields)).record.session_id


def test_many_threads_that_create_one_session_make_one(threaded: SessionService) -> None:
    made = at_once(200, lambda _: threaded.create("ann", "s-1"))

    assert made[0] is not None
    assert all(chat_session == made[0] for chat_session in made)
    assert threaded.counts()["stored"] == 1


def test_session_without_an_id_gets_one_nobody_can_guess(sessions: SessionService) -> None:
    first, second = sessions.create("ann"), sessions.create("ann")

    assert len(first.id) == 32
    assert first.id != second.id


def test_session_id_that_is_not_allowed_is_refused(sessions: SessionService) -> None:
    with pytest.raises(InvalidRequest):
        sessions.create("ann", "..")


def test_session_is_read_back_by_its_owner_only(sessions: SessionService) -> None:
    made = sessions.create("ann", "s-1")

    assert sessions.get("ann", "s-1") == made
    for ask_for in (sessions.get, sessions.messages, sessions.delete):
        with pytest.raises(NotFound):
            ask_for("bob", "s-1")


def test_start_makes_the_session(sessions: SessionService, runtime: ManualRuntime) -> None:
    session_id = ask(sessions, "What is a fjord?")
    runtime.run()

    assert sessions.get("ann", session_id).title == "What is a fjord?"
    texts = [message.text for message in sessions.messages("ann", session_id)]
    assert texts == ["What is a fjord?", "Hello there"]
    assert sessions.counts() == {"in_memory": 1, "stored": 1}


def test_start_that_is_refused_leaves_no_session(sessions: SessionService) -> None:
    with pytest.raises(InvalidRequest):
        ask(sessions, provider="nobody")

    assert sessions.counts() == {"in_memory": 0, "stored": 0}


def test_start_over_capacity_leaves_no_session(sessions: SessionService) -> None:
    ask(sessions)
    ask(sessions)
    with pytest.raises(OverCapacity):
        ask(sessions)

    assert sessions.counts() == {"in_memory": 2, "stored": 2}


def test_busy_session_stays_after_a_refusal(sessions: SessionService) -> None:
    ask(sessions, session_id="s-1")
    with pytest.raises(SessionBusy):
        ask(sessions, session_id="s-1")

    assert sessions.counts() == {"in_memory": 1, "stored": 1}


def test_conversation_survives_its_eviction(
    sessions: SessionService,
    session_map: SessionMap,
    runtime: ManualRuntime,
    scripted: ScriptedProvider,
) -> None:
    ask(sessions, "one", session_id="s-1")
    runtime.run()
    session_map.forget("ann", "s-1")
    ask(sessions, "two", session_id="s-1")
    runtime.run()

    assert [m.text for m in scripted.requests[1].messages] == ["one", "Hello there", "two"]


def test_list_is_newest_first_and_ones_own(sessions: SessionService, clock: HandClock) -> None:
    for session_id in ("old", "new"):
        sessions.create("ann", session_id)
        clock.advance(1)
    sessions.create("bob", "other")

    assert [chat_session.id for chat_session in sessions.list("ann")] == ["new", "old"]


def test_delete_stops_what_runs_in_the_session(
    sessions: SessionService, runs: RunService, runtime: ManualRuntime
) -> None:
    going = sessions.start("ann", ChatRequest("hi", session_id="s-1"))
    other = sessions.start("ann", ChatRequest("hi", session_id="s-2"))
    sessions.delete("ann", "s-1")
    runtime.run()

    assert going.record.status == "stopped"
    assert other.record.status == "completed"  # nobody stopped it
    with pytest.raises(NotFound):
        runs.find("ann", going.record.id)


def test_delete_leaves_nothing(sessions: SessionService, runtime: ManualRuntime) -> None:
    ask(sessions, session_id="s-1")
    runtime.run()
    sessions.delete("ann", "s-1")

    assert sessions.counts() == {"in_memory": 0, "stored": 0}
    with pytest.raises(NotFound):
        sessions.get("ann", "s-1")
