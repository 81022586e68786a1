"""Sessions of an owner: made once, refused without a trace, deleted with what runs in them."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.chats.session_map import SessionMap
from app.chats.sessions import SessionService
from app.core.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    OverCapacity,
    RateLimited,
    SessionBusy,
    StorageUnavailable,
)
from app.core.messages import text_parts
from app.core.runs import KEY_TTL_S
from app.providers.catalog import ProviderCatalog
from app.runs.registry import FoundRun
from app.runs.service import RunService
from app.stores.memory import MemoryStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime, at_once
from tests.support.scripted import ScriptedProvider


def read_all(sessions: SessionService, found: FoundRun) -> str:
    reader, text = sessions._runs.follow(found), ""
    while not reader.done:
        text += "".join(entry.data for entry in reader.read() if entry.kind == "text")
    return text


def ask(sessions: SessionService, message: str = "hi", **fields: Any) -> str:
    return sessions.start("ann", ChatRequest(text_parts(message), **fields)).found.record.session_id


def test_many_threads_that_create_one_session_make_one(threaded: SessionService) -> None:
    made = at_once(200, lambda _: threaded.create("ann", "s-1"))

    assert made[0] is not None
    assert all(chat_session == made[0] for chat_session in made)
    assert threaded.counts()["stored"] == 1


def test_session_without_an_id_gets_one_nobody_can_guess(sessions: SessionService) -> None:
    first, second = sessions.create("ann"), sessions.create("ann")

    assert len(first.id) == 32
    assert first.id != second.id


@pytest.mark.parametrize("session_id", ["..", ""])
def test_session_id_that_is_not_allowed_is_refused(
    sessions: SessionService, session_id: str
) -> None:
    with pytest.raises(InvalidRequest):
        sessions.create("ann", session_id)


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
    going = sessions.start("ann", ChatRequest(text_parts("hi"), session_id="s-1")).found.live
    other = sessions.start("ann", ChatRequest(text_parts("hi"), session_id="s-2")).found.live
    sessions.delete("ann", "s-1")
    runtime.run()

    assert going and going.record.status == "stopped"
    assert other and other.record.status == "completed"  # nobody stopped it
    with pytest.raises(NotFound):
        runs.find("ann", going.record.id)


def test_delete_leaves_nothing(sessions: SessionService, runtime: ManualRuntime) -> None:
    ask(sessions, session_id="s-1")
    runtime.run()
    sessions.delete("ann", "s-1")

    assert sessions.counts() == {"in_memory": 0, "stored": 0}
    with pytest.raises(NotFound):
        sessions.get("ann", "s-1")


def test_counts_do_without_a_store_that_fails(
    sessions: SessionService, memory_store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_sessions() -> int:
        raise StorageUnavailable()

    monkeypatch.setattr(memory_store, "count_sessions", count_sessions)

    assert sessions.counts() == {"in_memory": 0, "stored": None}


# --- idempotency keys ---------------------------------------------------------------------------


def keyed(message: str = "hi", key: str = "key-1", **fields: Any) -> ChatRequest:
    return ChatRequest(text_parts(message), idempotency_key=key, **fields)


def test_of_many_threads_with_one_key_one_starts_and_the_others_join(
    threaded: SessionService, scripted: ScriptedProvider
) -> None:
    started = at_once(50, lambda _: threaded.start("ann", keyed()))

    assert len({one.found.record.id for one in started}) == 1
    assert sorted(one.joined for one in started) == [False] + [True] * 49
    texts = at_once(50, lambda index: read_all(threaded, started[index].found))
    assert texts == ["Hello there"] * 50
    assert len(scripted.requests) == 1
    assert threaded.counts()["stored"] == 1


@pytest.mark.parametrize("has_ended", [False, True])
def test_key_joins_its_run(
    sessions: SessionService, runtime: ManualRuntime, has_ended: bool
) -> None:
    first = sessions.start("ann", keyed())
    if has_ended:
        runtime.run()
    again = sessions.start("ann", keyed())

    assert (first.joined, again.joined) == (False, True)
    assert again.found.live is first.found.live is not None


def test_key_with_another_body_is_a_conflict(sessions: SessionService) -> None:
    first = sessions.start("ann", keyed("hi"))
    for other in (keyed("ho"), keyed("hi", model="big"), keyed("hi", temperature=0.5)):
        with pytest.raises(IdempotencyConflict) as refused:
            sessions.start("ann", other)
        assert refused.value.run_id == first.found.record.id

    assert sessions.counts() == {"in_memory": 1, "stored": 1}


def test_other_key_or_owner_starts_a_run_of_its_own(
    sessions: SessionService, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    for owner, key in (("ann", "key-1"), ("ann", "key-2"), ("bob", "key-1")):
        assert not sessions.start(owner, keyed(key=key)).joined
        runtime.run()

    assert len(scripted.requests) == 3


def test_key_starts_a_new_run_after_a_day(
    sessions: SessionService, runtime: ManualRuntime, clock: HandClock
) -> None:
    first = sessions.start("ann", keyed())
    runtime.run()
    clock.advance(KEY_TTL_S)
    assert sessions.start("ann", keyed()).joined

    clock.advance(1)
    again = sessions.start("ann", keyed("another"))
    assert not again.joined
    assert again.found.record.id != first.found.record.id


def test_refused_start_leaves_its_key_free(sessions: SessionService) -> None:
    with pytest.raises(InvalidRequest):
        sessions.start("ann", keyed(provider="nobody"))

    assert not sessions.start("ann", keyed()).joined


def test_who_admits_is_told_whether_the_request_joins(sessions: SessionService) -> None:
    told: list[bool] = []
    sessions.start("ann", keyed(), told.append)
    sessions.start("ann", keyed(), told.append)
    sessions.start("ann", ChatRequest(text_parts("no key")), told.append)

    assert told == [False, True, False]


@pytest.mark.parametrize("request_", [keyed(), ChatRequest(text_parts("no key"))])
def test_start_that_is_not_admitted_leaves_nothing(
    sessions: SessionService, request_: ChatRequest
) -> None:
    def refuse(joins: bool) -> None:
        raise RateLimited()

    with pytest.raises(RateLimited):
        sessions.start("ann", request_, refuse)

    assert sessions.counts() == {"in_memory": 0, "stored": 0}


class BlindStore(MemoryStore):
    """Another process has used the key since we looked."""

    def find_key(self, owner: str, key: str, since: float) -> None:
        return None


def test_run_that_another_process_has_just_started_is_joined(
    runtime: ManualRuntime, clock: HandClock, catalog: ProviderCatalog
) -> None:
    sessions = make_sessions(BlindStore(), runtime, clock.clock, catalog)
    first = sessions.start("ann", keyed(session_id="s-1"))
    again = sessions.start("ann", keyed(session_id="s-1"))

    assert (again.joined, again.found.record.id) == (True, first.found.record.id)
    with pytest.raises(IdempotencyConflict):
        sessions.start("ann", keyed("other", session_id="s-1"))
