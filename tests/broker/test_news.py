"""News of a session, for the tabs that have it open."""

from __future__ import annotations

import pytest

from app.broker.local import KEPT, LocalBroker
from app.core.broker import Listener, News
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime, ManualWaiter

HEARTBEAT_S = 5.0


@pytest.fixture
def feed(runtime: ManualRuntime, clock: HandClock) -> LocalBroker:
    return LocalBroker(runtime.new_waiter, clock.clock.monotonic)


def news(number: int = 1) -> News:
    return News("run_started", {"run_id": f"run-{number}"})


def heard(listener: Listener) -> list[News]:
    found = []
    while one := listener.next(0):
        found.append(one)
    return found


def test_all_who_listen_are_told_in_order(feed: LocalBroker) -> None:
    listeners = [feed.listen("ann", "s-1") for _ in range(2)]
    for number in (1, 2):
        feed.publish_news("ann", "s-1", news(number))

    assert [heard(listener) for listener in listeners] == [[news(1), news(2)]] * 2


def test_others_are_not_told(feed: LocalBroker) -> None:
    others = [feed.listen("bob", "s-1"), feed.listen("ann", "s-2")]
    feed.publish_news("ann", "s-1", news())

    assert [heard(listener) for listener in others] == [[], []]


def test_one_who_left_is_not_told(feed: LocalBroker) -> None:
    gone, here = feed.listen("ann", "s-1"), feed.listen("ann", "s-1")
    feed.leave("ann", "s-1", gone)
    feed.leave("ann", "s-1", gone)
    feed.publish_news("ann", "s-1", news())

    assert (heard(gone), heard(here)) == ([], [news()])
    assert feed.count_listeners() == 1


def test_session_that_nobody_listens_to_is_forgotten(feed: LocalBroker) -> None:
    feed.leave("ann", "s-1", feed.listen("ann", "s-1"))

    assert (feed.count_listeners(), feed._listeners) == (0, {})


def test_listener_waits_for_news(feed: LocalBroker, runtime: ManualRuntime) -> None:
    listener = feed.listen("ann", "s-1")
    runtime.call_soon(lambda: feed.publish_news("ann", "s-1", news()))

    assert listener.next(HEARTBEAT_S) == news()


def test_silence_is_a_heartbeat(feed: LocalBroker, clock: HandClock) -> None:
    listener = feed.listen("ann", "s-1")
    before = clock.monotonic

    assert listener.next(HEARTBEAT_S) is None
    assert clock.monotonic - before == HEARTBEAT_S


def test_one_who_does_not_keep_up_loses_the_oldest(feed: LocalBroker) -> None:
    listener = feed.listen("ann", "s-1")
    for number in range(KEPT + 3):
        feed.publish_news("ann", "s-1", news(number))

    assert heard(listener) == [news(number) for number in range(3, KEPT + 3)]


def test_heartbeat_that_is_due_wakes(feed: LocalBroker, clock: HandClock) -> None:
    due, later = feed.listen("ann", "s-1"), feed.listen("ann", "s-2")
    due.deadline, later.deadline = clock.monotonic, clock.monotonic + 0.1
    feed.tick()

    waiters = [listener._waiter for listener in (due, later)]
    assert [w.woken for w in waiters if isinstance(w, ManualWaiter)] == [True, False]


def test_who_listens_to_all_hears_of_every_session_of_the_owner(feed: LocalBroker) -> None:
    of_all, others = feed.listen("ann", None), feed.listen("bob", None)
    for number, session_id in enumerate(("s-1", "s-2")):
        feed.publish_news("ann", session_id, news(number))

    assert (heard(of_all), heard(others)) == ([news(0), news(1)], [])
    feed.leave("ann", None, of_all)
    feed.leave("bob", None, others)
    assert feed.count_listeners() == 0


def test_polling_does_not_wait_and_a_waiter_may_be_shared(
    feed: LocalBroker, runtime: ManualRuntime
) -> None:
    waiter = runtime.new_waiter()
    one, other = feed.listen("ann", "s-1", waiter), feed.listen("ann", None, waiter)

    assert (one.poll(HEARTBEAT_S), other.poll(HEARTBEAT_S)) == (None, None)
    feed.publish_news("ann", "s-1", news())
    waiter.wait()
    assert (one.poll(HEARTBEAT_S), other.poll(HEARTBEAT_S)) == (news(), news())
