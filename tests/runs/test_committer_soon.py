"""The committer over a store that writes while the hub goes on, and tells when it is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.errors import StorageUnavailable
from app.core.store import Batch
from app.runs.committer import RETRY_S
from tests.runs.stage import STORE_TIMEOUT_S, Stage
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.sinks import FaultyStore


class SoonStore(FaultyStore):
    """Begins every batch; the test says what becomes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.locked = True
        self.begun: list[tuple[str, Batch, Callable[[bool], None]]] = []
        self.soon_error: Exception | None = None
        self.takes = True

    def append_soon(self, worker_id: str, batch: Batch, done: Callable[[bool], None]) -> bool:
        if self.soon_error is not None:
            raise self.soon_error
        if self.takes:
            self.begun.append((worker_id, batch, done))
        return self.takes

    def finish(self, is_stored: bool = True) -> None:
        worker_id, batch, done = self.begun.pop(0)
        if is_stored:
            super().append(worker_id, batch)
            self.tries -= 1
        done(is_stored)


@pytest.fixture
def store() -> SoonStore:
    return SoonStore()


@pytest.fixture
def soon(runtime: ManualRuntime, clock: HandClock, store: SoonStore) -> Stage:
    return Stage(runtime, clock, store)


def test_a_batch_is_shown_when_it_is_told_that_it_is_stored(soon: Stage, store: SoonStore) -> None:
    run = soon.run()
    soon.offer(run, "a")
    soon.runtime.run()
    assert (soon.stored(run), run.log.text()) == ("", "")

    store.finish()
    assert soon.stored(run) == run.log.text() == "a"
    assert (store.tries, soon.health) == (0, [True])


def test_what_gathers_meanwhile_is_the_next_batch(soon: Stage, store: SoonStore) -> None:
    run = soon.run()
    soon.offer(run, "a")
    soon.runtime.run()
    soon.offer(run, "b", first=2)
    soon.offer_end(run)
    soon.runtime.run()
    assert len(store.begun) == 1

    store.finish()
    assert (run.log.text(), len(store.begun)) == ("a", 1)
    store.finish()
    assert soon.stored(run) == run.log.text() == "ab"
    assert soon.end_of(run)["status"] == "completed"


def test_a_batch_that_it_does_not_begin_goes_to_the_stores_thread(
    soon: Stage, store: SoonStore
) -> None:
    run = soon.run()
    store.takes = False
    soon.offer(run, "a")
    soon.runtime.run()

    assert soon.stored(run) == run.log.text() == "a"
    assert store.tries == 1


def test_a_batch_of_which_nobody_knows_is_tried_again_and_is_the_same(
    soon: Stage, store: SoonStore
) -> None:
    run = soon.run()
    soon.offer(run, "a")
    soon.runtime.run()
    soon.offer(run, "b", first=2)
    store.errors = [StorageUnavailable()]
    store.finish(False)
    soon.runtime.run()
    assert soon.runtime.sleeps == [RETRY_S]
    assert soon.stored(run) == run.log.text() == "a"

    store.finish()
    assert soon.stored(run) == run.log.text() == "ab"


def test_the_time_counts_from_where_it_began(soon: Stage, store: SoonStore) -> None:
    run = soon.run()
    store.broken = StorageUnavailable()
    before = soon.clock.monotonic
    soon.offer(run, "a")
    soon.runtime.run()
    soon.clock.advance(STORE_TIMEOUT_S / 2)
    store.finish(False)
    soon.runtime.run()

    assert soon.end_of(run)["error"]["code"] == "storage_unavailable"
    assert soon.clock.monotonic - before < STORE_TIMEOUT_S + 2 * RETRY_S


def test_a_batch_that_it_refuses_holds_up_nobody(soon: Stage, store: SoonStore) -> None:
    bad, good = soon.run("run-1"), soon.run("run-2")
    store.soon_error = store.broken = TypeError("Integer exceeds 64-bit range")
    soon.offer(bad, "a")
    soon.runtime.run()
    store.soon_error = store.broken = None
    soon.offer(good, "b")
    soon.runtime.run()
    store.finish()

    assert soon.end_of(bad)["error"]["code"] == "internal_error"
    assert soon.stored(good) == good.log.text() == "b"
