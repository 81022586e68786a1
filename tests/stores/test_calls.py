"""Calls of the store: within their time, and with a memory of whether the store works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.core.errors import SessionBusy, StorageUnavailable
from app.stores.calls import StoreCalls
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime

TIMEOUT_S = 5.0


class Store:
    """Fails when told to, and notes how patient it was told to be."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.patience: list[float] = []
        self.probes = 0

    def set_patience(self, seconds: float) -> None:
        self.patience.append(seconds)

    def probe(self) -> None:
        self.probes += 1
        self.ask()

    def ask(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        if self.error is not None:
            raise self.error
        return (*args, *kwargs.values())


class QueuedRuntime(ManualRuntime):
    """A runtime whose store's thread is busy for a while first."""

    queue_s = 0.0

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        self.clock.advance(self.queue_s)
        return super().run_blocking(function, *args)


@pytest.fixture
def queue(clock: HandClock) -> QueuedRuntime:
    return QueuedRuntime(clock)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def calls(store: Store, queue: QueuedRuntime, clock: HandClock) -> StoreCalls:
    return StoreCalls(store, queue, clock.clock, TIMEOUT_S)


def fail(calls: StoreCalls, store: Store) -> None:
    store.error = StorageUnavailable()
    with pytest.raises(StorageUnavailable):
        calls(store.ask)


def test_call_gives_what_the_store_gives(calls: StoreCalls, store: Store) -> None:
    assert calls(store.ask, 1, two=2) == (1, 2)
    assert store.patience == [TIMEOUT_S]


def test_time_in_the_queue_is_taken_off_the_patience(
    calls: StoreCalls, store: Store, queue: QueuedRuntime
) -> None:
    queue.queue_s = 1.5
    calls(store.ask)

    assert store.patience == [TIMEOUT_S - 1.5]


def test_call_that_waited_its_whole_time_is_never_done(
    calls: StoreCalls, store: Store, queue: QueuedRuntime
) -> None:
    done: list[bool] = []
    queue.queue_s = TIMEOUT_S
    with pytest.raises(StorageUnavailable):
        calls(done.append, True)

    assert (done, store.patience) == ([], [])
    assert calls.failing


def test_failure_is_remembered_until_a_write_works(calls: StoreCalls, store: Store) -> None:
    assert not calls.failing
    fail(calls, store)
    assert calls.failing

    store.error = None
    calls(store.ask)  # a read works beside another process's lock
    assert calls.failing
    calls.probe()
    assert not calls.failing


def test_refusal_is_no_failure_of_the_store(calls: StoreCalls, store: Store) -> None:
    store.error = SessionBusy()
    with pytest.raises(SessionBusy):
        calls(store.ask)

    assert not calls.failing


def test_change_is_logged_once(
    calls: StoreCalls, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    fail(calls, store)
    fail(calls, store)
    store.error = None
    calls.probe()
    calls.probe()

    said = [record.getMessage() for record in caplog.records]
    assert said == ["the store fails", "the store works again"]


def test_store_that_works_is_not_probed(calls: StoreCalls, store: Store) -> None:
    calls.probe()

    assert store.probes == 0


def test_store_that_failed_is_probed_until_it_works(calls: StoreCalls, store: Store) -> None:
    fail(calls, store)
    with pytest.raises(StorageUnavailable):
        calls.probe()
    assert calls.failing

    store.error = None
    calls.probe()
    calls.probe()
    assert (calls.failing, store.probes) == (False, 2)
