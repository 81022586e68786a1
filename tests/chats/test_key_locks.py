"""A lock for each key in use, and none for those that are not."""

from __future__ import annotations

import threading

import pytest

from app.chats.key_locks import KeyLocks
from tests.support.manual import at_once

WAIT_S = 10.0


def test_one_key_is_held_by_one_at_a_time() -> None:
    locks, inside, seen = KeyLocks(), [], []

    def enter(index: int) -> None:
        with locks.holding("key"):
            inside.append(index)
            seen.append(len(inside))
            inside.remove(index)

    at_once(50, enter)
    assert seen == [1] * 50


def test_other_key_does_not_wait() -> None:
    locks = KeyLocks()
    with locks.holding(("ann", "key")), locks.holding(("bob", "key")):
        assert len(locks) == 2


def test_lock_is_forgotten_with_its_last_user() -> None:
    locks = KeyLocks()
    at_once(20, lambda _: hold(locks))

    assert len(locks) == 0


def hold(locks: KeyLocks) -> None:
    with locks.holding("key"):
        assert len(locks) == 1


def test_one_who_waits_keeps_the_lock_known() -> None:
    locks, entered = KeyLocks(), threading.Event()

    def wait() -> None:
        with locks.holding("key"):
            entered.set()

    with locks.holding("key"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.is_set()
    waiting.join(WAIT_S)
    assert entered.is_set()
    assert len(locks) == 0


def test_failure_lets_the_key_go() -> None:
    locks = KeyLocks()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locks.holding("key"):
            raise ZeroDivisionError

    assert len(locks) == 0
