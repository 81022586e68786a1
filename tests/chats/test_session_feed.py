"""News of a session, for the tabs that have it open."""

from __future__ import annotations

import pytest

from app.chats.request import ChatRequest
from app.chats.session_feed import KEPT, Listener, News, SessionFeed
from app.chats.sessions import SessionService
from app.core.errors import NotFound
from app.core.messages import text_parts
from app.providers.catalog import ProviderCatalog
from app.stores.memory import MemoryStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime, ManualWaiter

HEARTBEAT_S = 5.0


@pytest.fixture
def feed(runtime: ManualRuntime, clock: HandClock) -> SessionFeed:
    return SessionFeed(runtime.new_waiter, clock.clock.monotonic)


def news(number: int = 1) -> News:
    return News("run_started", {"run_id": f"run-{number}"})


def heard(listener: Listener) -> list[News]:
    found = []
    while one := listener.next(0):
        found.append(one)
    return found


def test_all_who_listen_are_told_in_order(feed: SessionFeed) -> None:
    listeners = [feed.listen("ann", "s-1") for _ in range(2)]
    for number in (1, 2):
        feed.tell("ann", "s-1", news(number))

    assert [heard(listener) for listener in listeners] == [[news(1), news(2)]] * 2


def test_others_are_not_told(feed: SessionFeed) -> None:
    others = [feed.listen("bob", "s-1"), feed.listen("ann", "s-2")]
    feed.tell("ann", "s-1", news())

    assert [heard(listener) for listener in others] == [[], []]


def test_one_who_left_is_not_told(feed: SessionFeed) -> None:
    gone, here = feed.listen("ann", "s-1"), feed.listen("ann", "s-1")
    feed.leave("ann", "s-1", gone)
    feed.leave("ann", "s-1", gone)
    feed.tell("ann", "s-1", news())

    assert (heard(gone), heard(here)) == ([], [news()])
    assert feed.count() == 1


def test_session_that_nobody_listens_to_is_forgotten(feed: SessionFeed) -> None:
    feed.leave("ann", "s-1", feed.listen("ann", "s-1"))

    assert (feed.count(), feed._listeners) == (0, {})


def test_listener_waits_for_news(feed: SessionFeed, runtime: ManualRuntime) -> None:
    listener = feed.listen("ann", "s-1")
    runtime.call_soon(lambda: feed.tell("ann", "s-1", news()))

    assert listener.next(HEARTBEAT_S) == news()


def test_silence_is_a_heartbeat(feed: SessionFeed, clock: HandClock) -> None:
    listener = feed.listen("ann", "s-1")
    before = clock.monotonic

    assert listener.next(HEARTBEAT_S) is None
    assert clock.monotonic - before == HEARTBEAT_S


def test_one_who_does_not_keep_up_loses_the_oldest(feed: SessionFeed) -> None:
    listener = feed.listen("ann", "s-1")
    for number in range(KEPT + 3):
        feed.tell("ann", "s-1", news(number))

    assert heard(listener) == [news(number) for number in range(3, KEPT + 3)]


def test_heartbeat_that_is_due_wakes(feed: SessionFeed, clock: HandClock) -> None:
    due, later = feed.listen("ann", "s-1"), feed.listen("ann", "s-2")
    due.deadline, later.deadline = clock.monotonic, clock.monotonic + 0.1
    feed.wake_due()

    waiters = [listener._waiter for listener in (due, later)]
    assert [w.woken for w in waiters if isinstance(w, ManualWaiter)] == [True, False]


# --- as the service tells it ----------------------------------------------------------------------


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

    assert sessions.feed.count() == 0
