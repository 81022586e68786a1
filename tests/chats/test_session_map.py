"""The map of chat interfaces: one for a key whatever the race, bounded by idle time and size."""

from __future__ import annotations

from app.chats.session_map import SessionMap
from tests.chats.conftest import IDLE_S, MAX_SIZE
from tests.support.clock import HandClock
from tests.support.manual import at_once


def test_many_threads_that_open_one_key_get_one_chat(session_map: SessionMap) -> None:
    opened = at_once(200, lambda _: session_map.open("ann", "s-1"))

    assert opened[0] is not None
    assert all(chat is opened[0] for chat in opened)
    assert len(session_map) == 1


def test_many_threads_with_keys_of_their_own_stay_within_the_size(session_map: SessionMap) -> None:
    opened = at_once(200, lambda index: session_map.open("ann", f"s-{index}"))

    assert {chat.session_id for chat in opened} == {f"s-{index}" for index in range(200)}
    assert len(session_map) == MAX_SIZE


def test_same_id_of_two_owners_is_two_chats(session_map: SessionMap) -> None:
    ann, bob = session_map.open("ann", "s-1"), session_map.open("bob", "s-1")

    assert (ann.owner, bob.owner) == ("ann", "bob")
    assert len(session_map) == 2


def test_least_recently_used_makes_room(session_map: SessionMap) -> None:
    for session_id in ("s-1", "s-2", "s-3", "s-1", "s-4"):
        session_map.open("ann", session_id)

    assert session_map.holds("ann", "s-1")
    assert not session_map.holds("ann", "s-2")


def test_idle_chats_are_evicted(session_map: SessionMap, clock: HandClock) -> None:
    session_map.open("ann", "old")
    clock.advance(IDLE_S / 2)
    session_map.open("ann", "young")
    clock.advance(IDLE_S / 2)

    assert session_map.evict_idle() == 1
    assert session_map.holds("ann", "young")
    assert not session_map.holds("ann", "old")


def test_use_keeps_a_chat(session_map: SessionMap, clock: HandClock) -> None:
    chat = session_map.open("ann", "s-1")
    clock.advance(IDLE_S - 1)
    assert session_map.open("ann", "s-1") is chat
    clock.advance(IDLE_S - 1)

    assert session_map.evict_idle() == 0
    clock.advance(1)
    assert session_map.evict_idle() == 1
    assert session_map.evict_idle() == 0


def test_forgotten_chat_is_made_anew(session_map: SessionMap) -> None:
    chat = session_map.open("ann", "s-1")
    session_map.forget("ann", "s-1")
    session_map.forget("ann", "s-1")

    assert session_map.open("ann", "s-1") is not chat
