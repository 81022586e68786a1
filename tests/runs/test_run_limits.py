"""What bounds runs: how many, how long, and none while the server stops."""

from __future__ import annotations

import threading
from collections import deque

import pytest

from app.core.errors import OverCapacity, SessionBusy, ShuttingDown
from app.core.messages import Message
from app.core.runs import Turn
from app.runs.ports import Clock
from app.runs.run import STOPPED
from app.runs.service import RunService
from app.runtimes.threads import ThreadRuntime
from app.stores.memory import MemoryStore
from tests.runs.conftest import Start
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime, at_once
from tests.support.options import RunOptions
from tests.support.running import running
from tests.support.samples import provider_request, turn_of
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.stepped import HandProvider, SteppedRuntime


def test_refused_start_takes_no_capacity(start: Start, runs: RunService) -> None:
    start("run-1", "s-1")
    with pytest.raises(SessionBusy):
        start("run-2", "s-1")

    start("run-3", "s-3")
    assert runs._registry.counts()["running"] == 2


def test_start_over_capacity_is_refused_until_one_ends(
    start: Start, runs: RunService, runtime: ManualRuntime
) -> None:
    start("run-1")
    start("run-2")
    with pytest.raises(OverCapacity):
        start("run-3")
    runtime.run()

    start("run-3")
    assert runs._registry.counts() == {"running": 1, "queued": 0, "ended": 2}


def test_start_that_is_under_way_counts(runtime: ManualRuntime, scripted: ScriptedProvider) -> None:
    refused: list[OverCapacity] = []

    class Store(MemoryStore):
        def begin_turn(self, turn: Turn) -> list[Message]:
            if turn.run.id == "run-1":
                with pytest.raises(OverCapacity) as error:
                    start("run-2")
                refused.append(error.value)
            return super().begin_turn(turn)

    def start(run_id: str) -> None:
        runs.start(turn_of(run_id, session_id=run_id), scripted, lambda _: provider_request())

    runs = running(Store(), runtime, Clock(), RunOptions(max_runs=1)).runs
    start("run-1")

    assert len(refused) == 1
    assert runs._registry.counts()["running"] == 1


def test_caller_over_its_share_is_refused_until_one_of_its_runs_ends(
    memory_store: MemoryStore, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    limits = RunOptions(max_runs_per_user=1)
    runs = running(memory_store, runtime, Clock(), limits).runs

    def start(run_id: str, caller: str) -> None:
        turn = turn_of(run_id, session_id=run_id, caller=caller)
        runs.start(turn, scripted, lambda _: provider_request())

    start("run-1", "ann")
    with pytest.raises(OverCapacity):
        start("run-2", "ann")
    start("run-3", "bob")
    runtime.run()
    start("run-4", "ann")


def test_capacity_holds_against_many_starts_at_once(scripted: ScriptedProvider) -> None:
    gate = threading.Event()
    for _ in range(100):
        scripted.enqueue(gate, STOP)
    limits = RunOptions(max_runs=7)
    runs = running(MemoryStore(), ThreadRuntime(), Clock(), limits).runs

    def start(index: int) -> str:
        turn = turn_of(f"run-{index}", session_id=f"s-{index}")
        try:
            return runs.start(turn, scripted, lambda _: provider_request()).record.status
        except OverCapacity:
            return "refused"

    started = at_once(100, start)
    gate.set()
    assert started.count("running") == 7


def test_model_that_says_nothing_in_time_is_a_timeout(
    start: Start,
    runs: RunService,
    scripted: ScriptedProvider,
    runtime: ManualRuntime,
    clock: HandClock,
) -> None:
    scripted.enqueue(lambda: runtime.sleep(0))  # lets the others go on, and says nothing
    run = start()
    clock.advance(9.9)
    runs.tick()
    assert not run.ending

    clock.advance(0.1)
    runs.tick()
    runtime.run()
    assert run.record.error and run.record.error["code"] == "upstream_timeout"


def test_run_that_speaks_has_until_its_own_deadline(
    start: Start, runs: RunService, scripted: ScriptedProvider, runtime: ManualRuntime
) -> None:
    def until(age_s: float) -> None:
        runtime.sleep(age_s - (runtime.clock.monotonic - run.started_at))
        runs.tick()
        runtime.sleep(0)

    scripted.enqueue("a", lambda: until(59.9), "b", lambda: until(60), "never", STOP)
    run = start()
    runtime.run()

    assert run.log.text() == "ab"
    assert run.record.error and run.record.error["code"] == "run_timeout"


def test_deadline_of_a_run_that_is_ending_does_nothing(
    start: Start, runs: RunService, runtime: ManualRuntime, clock: HandClock
) -> None:
    run = start()
    run.end_with(STOPPED)
    clock.advance(100)
    runs.tick()
    runtime.run()

    assert run.record.status == "stopped"


# --- runs that nobody watches ---------------------------------------------------------------------


class Watched:
    """A silent run, in a service that stops those nobody watches for 30 s."""

    def __init__(self, clock: HandClock, stop_when_unwatched: bool = False) -> None:
        self.runtime = SteppedRuntime(clock)
        limits = RunOptions(orphan_run_s=0 if stop_when_unwatched else 30)
        self.runs = running(MemoryStore(), self.runtime, clock.clock, limits).runs
        provider = HandProvider(self.runtime)
        provider.hands["hi"] = deque()
        self.run = self.runs.start(
            turn_of(), provider, lambda _: provider_request("hi"), stop_when_unwatched
        )

    def status_after(self, seconds: float) -> str:
        self.runtime.clock.advance(seconds)
        self.runs.tick()
        self.runtime.run()
        return self.run.record.status


def test_run_that_nobody_watches_is_stopped_after_its_time(clock: HandClock) -> None:
    watched = Watched(clock)

    assert [watched.status_after(29.9), watched.status_after(0.1)] == ["running", "stopped"]
    assert watched.run.upstream_closed


def test_run_that_is_watched_goes_on(clock: HandClock) -> None:
    watched = Watched(clock)
    with watched.run.watched():
        with watched.run.watched():
            pass
        assert watched.status_after(31) == "running"

    assert watched.status_after(28) == "running"


def test_run_stops_some_time_after_its_last_viewer_left(clock: HandClock) -> None:
    watched = Watched(clock)
    watched.status_after(20)
    with watched.run.watched():
        pass

    assert [watched.status_after(29.9), watched.status_after(0.1)] == ["running", "stopped"]


def test_run_is_stopped_with_its_last_viewer_if_its_caller_said_so(clock: HandClock) -> None:
    watched = Watched(clock, stop_when_unwatched=True)
    assert watched.status_after(50) == "running"  # nobody has come yet
    with watched.run.watched():
        assert watched.status_after(1) == "running"

    assert watched.status_after(0) == "stopped"


def test_unwatched_run_goes_on_by_default(
    start: Start, runs: RunService, runtime: ManualRuntime, clock: HandClock
) -> None:
    run = start()
    with run.watched():
        pass
    clock.advance(9)
    runs.tick()
    runtime.run()

    assert run.record.status == "completed"


def test_start_is_refused_while_shutting_down(start: Start, runs: RunService) -> None:
    start("run-1")
    runs._registry.refuse_new()

    with pytest.raises(ShuttingDown):
        start("run-2")
    assert [run.record.id for run in runs._registry.going()] == ["run-1"]
