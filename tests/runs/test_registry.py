"""The register of a process's runs: bounded, and it remembers those that have just ended."""

from __future__ import annotations

import pytest

from app.core.errors import OverCapacity, ShuttingDown
from app.runs.registry import KEEP_ENDED_S, RunRegistry
from app.runs.run import Run
from tests.support.clock import HandClock
from tests.support.manual import at_once
from tests.support.samples import provider_request, run_record
from tests.support.sinks import ListSink

EMPTY = {"running": 0, "queued": 0, "ended": 0}


@pytest.fixture
def live(clock: HandClock) -> RunRegistry:
    return RunRegistry(3, 2, clock.clock.monotonic)


class Made:
    """Runs that are registered."""

    def __init__(self, live: RunRegistry, clock: HandClock) -> None:
        self.live = live
        self.clock = clock

    def run(self, run_id: str, caller: str = "ann", session_id: str = "s-1") -> Run:
        record = run_record(run_id, session_id=session_id)
        run = Run(record, provider_request(), ListSink(), self.clock.clock, 1000, caller)
        self.live.reserve(caller)
        self.live.add(run)
        return run


@pytest.fixture
def made(live: RunRegistry, clock: HandClock) -> Made:
    return Made(live, clock)


def test_reserved_place_becomes_a_run_and_ends(live: RunRegistry, made: Made) -> None:
    live.reserve("bob")
    run = made.run("run-1")
    assert live.counts() == {"running": 1, "queued": 1, "ended": 0}

    live.release("bob")
    live.ended(run)
    assert live.counts() == {"running": 0, "queued": 0, "ended": 1}


def test_places_that_are_reserved_count(live: RunRegistry) -> None:
    for caller in ("ann", "bob", "cid"):
        live.reserve(caller)
    with pytest.raises(OverCapacity):
        live.reserve("dan")
    live.release("bob")

    live.reserve("dan")


def test_caller_has_its_share(live: RunRegistry, made: Made) -> None:
    run = made.run("run-1", "ann")
    live.reserve("ann")
    with pytest.raises(OverCapacity, match="You have"):
        live.reserve("ann")
    live.ended(run)

    live.reserve("ann")


def test_refusal_takes_no_place(live: RunRegistry) -> None:
    for caller in ("ann", "ann"):
        live.reserve(caller)
    for _ in range(5):
        with pytest.raises(OverCapacity):
            live.reserve("ann")
    for caller in ("ann", "ann"):
        live.release(caller)

    assert live.counts() == EMPTY


def test_run_ends_once(live: RunRegistry, made: Made) -> None:
    run = made.run("run-1")
    live.ended(run)
    live.ended(run)

    assert live.counts()["ended"] == 1
    live.reserve("ann")
    live.reserve("ann")
    with pytest.raises(OverCapacity):
        live.reserve("ann")


def test_run_is_found_going_and_ended(live: RunRegistry, made: Made) -> None:
    run = made.run("run-1")
    assert live.get("run-1") is run
    assert live.going() == [run]

    live.ended(run)
    assert live.get("run-1") is run
    assert live.going() == []
    assert live.get("run-2") is None


def test_ended_runs_are_forgotten_each_in_its_time(
    live: RunRegistry, made: Made, clock: HandClock
) -> None:
    first, second = made.run("run-1"), made.run("run-2")
    live.ended(first)
    clock.advance(1)
    live.ended(second)
    clock.advance(KEEP_ENDED_S - 1)
    live.forget_old()
    assert (live.get("run-1"), live.get("run-2")) == (None, second)

    clock.advance(1)
    live.forget_old()
    assert live.get("run-2") is None
    assert live.counts()["ended"] == 2


def test_going_run_is_never_forgotten(live: RunRegistry, made: Made, clock: HandClock) -> None:
    run = made.run("run-1")
    clock.advance(10 * KEEP_ENDED_S)
    live.forget_old()
    live.forget("ann", "s-1")

    assert live.get("run-1") is run


def test_deleted_session_takes_its_own_ended_runs_along(live: RunRegistry, made: Made) -> None:
    for run in (made.run("run-1"), made.run("run-2", "bob", session_id="s-2")):
        live.ended(run)
    live.forget("bob", "s-1")
    assert live.get("run-1") is not None

    live.forget("ann", "s-1")
    assert live.get("run-1") is None
    assert live.get("run-2") is not None


def test_nothing_is_reserved_while_refusing(live: RunRegistry, made: Made) -> None:
    run = made.run("run-1")
    assert not live.refusing
    live.refuse_new()

    with pytest.raises(ShuttingDown):
        live.reserve("bob")
    assert live.refusing
    assert live.going() == [run]


def test_bound_holds_against_many_at_once(live: RunRegistry) -> None:
    def reserve(index: int) -> bool:
        try:
            live.reserve(f"caller {index}")
        except OverCapacity:
            return False
        return True

    assert at_once(50, reserve).count(True) == 3
