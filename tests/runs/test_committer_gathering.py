"""The committer over a store whose commits are dear: it waits a moment for what may go with the
first."""

from __future__ import annotations

import pytest

from app.core.errors import StorageUnavailable
from app.runs.committer import RETRY_S, TURN_S
from tests.runs.stage import GATHER_S, Stage
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.samples import texts
from tests.support.sinks import FaultyStore


@pytest.fixture
def gathering(runtime: ManualRuntime, clock: HandClock) -> Stage:
    store = FaultyStore()
    store.gathers = True
    return Stage(runtime, clock, store)


def test_what_is_offered_within_the_moment_is_one_batch(gathering: Stage) -> None:
    first, second = gathering.run("run-1"), gathering.run("run-2")
    gathering.offer(first, "a")
    gathering.runtime.sleep(GATHER_S / 2)
    gathering.offer(first, "b", first=2)
    gathering.offer(second, "x")
    assert not gathering.store.batches

    gathering.runtime.sleep(GATHER_S / 2)
    [batch] = gathering.store.batches
    assert batch.entries == [("run-1", texts("a", "b")), ("run-2", texts("x"))]


def test_nobody_waits_for_longer_than_the_moment_that_the_first_began(gathering: Stage) -> None:
    run = gathering.run()
    began = gathering.clock.monotonic
    gathering.offer(run, "a")
    gathering.runtime.sleep(GATHER_S * 0.9)
    gathering.offer_end(run)
    gathering.runtime.run()

    assert gathering.clock.monotonic - began == pytest.approx(GATHER_S)
    assert gathering.end_of(run)["status"] == "completed"


def test_the_next_moment_begins_with_the_next_offer(gathering: Stage) -> None:
    run = gathering.run()
    gathering.offer(run, "a")
    gathering.runtime.run()
    began = gathering.clock.monotonic
    gathering.offer(run, "b", first=2)
    gathering.runtime.run()

    assert gathering.clock.monotonic - began == pytest.approx(GATHER_S)
    assert gathering.stored(run) == run.log.text() == "ab"


def test_what_waits_when_a_batch_is_written_has_waited_its_moment_already(
    gathering: Stage,
) -> None:
    run = gathering.run()
    gathering.store.locked = True
    gathering.store.errors = [StorageUnavailable()]
    gathering.offer(run, "a")
    gathering.runtime.sleep(GATHER_S)  # the flush hands it to the store's thread
    gathering.offer(run, "b", first=2)
    gathering.runtime.step()  # which fails, and is tried again
    written = gathering.clock.monotonic
    gathering.runtime.step()

    assert gathering.runtime.sleeps[-1] == RETRY_S
    assert gathering.stored(run) == run.log.text() == "ab"
    assert gathering.clock.monotonic == written


def test_what_came_just_before_a_batch_was_written_waits_its_moment(gathering: Stage) -> None:
    run = gathering.run()
    gathering.store.locked = True
    gathering.offer(run, "a")
    gathering.runtime.sleep(GATHER_S)
    gathering.offer(run, "b", first=2)
    gathering.runtime.step()
    assert gathering.stored(run) == "a"

    gathering.runtime.sleep(GATHER_S)
    gathering.runtime.run()
    assert gathering.stored(run) == run.log.text() == "ab"


def test_producer_that_never_waits_goes_on_for_that_moment(gathering: Stage) -> None:
    run = gathering.run()
    gathering.offer(run, "a")
    gathering.clock.advance(GATHER_S + TURN_S / 2)
    gathering.committer.give_up_turn()
    assert not gathering.runtime.sleeps

    gathering.clock.advance(TURN_S)
    gathering.committer.give_up_turn()
    assert gathering.runtime.sleeps == [0]
    assert run.log.text() == "a"


def test_store_whose_commits_cost_little_is_not_waited_for(stage: Stage) -> None:
    run = stage.run()
    before = stage.clock.monotonic
    stage.offer(run, "a")
    stage.runtime.run()

    assert run.log.text() == "a"
    assert stage.clock.monotonic == before
