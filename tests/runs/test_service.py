"""The run service: start, find, follow, stop, each for an owner, within limits."""

from __future__ import annotations

import pytest

from app.core.entries import Entry
from app.core.errors import BadCursor, NotFound, ProviderNotConfigured, SessionBusy
from app.core.messages import Message
from app.core.run_errors import UpstreamTimeout
from app.core.runs import ProviderRequest, Turn
from app.metrics.counts import Metrics
from app.runs.log import LogReader, RunLog
from app.runs.ports import Clock
from app.runs.registry import KEEP_ENDED_S, FoundRun
from app.runs.service import STARTING_LOOK_S, STARTING_WAIT_S, RunService
from app.runs.stops import STOP_WAIT_S
from app.stores.memory import MemoryStore
from app.stores.no_locks import NoLocks
from app.wiring import make_runs
from tests.runs.conftest import Start
from tests.support.clock import START, HandClock
from tests.support.manual import ManualRuntime
from tests.support.options import RunOptions
from tests.support.running import running
from tests.support.samples import USAGE, provider_request, run_record, turn_of
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.sinks import FaultyStore


def read_all(reader: LogReader) -> str:
    found = ""
    while not reader.done:
        found += "".join(entry.data for entry in reader.read() if entry.kind == "text")
    return found


def test_start_stores_the_turn_and_returns_before_the_provider_is_asked(
    start: Start, memory_store: MemoryStore, scripted: ScriptedProvider
) -> None:
    run = start()

    assert scripted.requests == []
    assert run.record.status == "running"
    assert memory_store.find_run("ann", "run-1") is not None


@pytest.mark.parametrize("locked", [False, True])
def test_turn_takes_the_store_thread_only_where_it_cannot_be_stored_now(
    runtime: ManualRuntime, scripted: ScriptedProvider, locked: bool
) -> None:
    taken: list[bool] = []

    class Store(FaultyStore):
        def begin_turn(self, turn: Turn) -> list[Message]:
            taken.append(runtime.in_store_thread)
            return super().begin_turn(turn)

    store = Store()
    store.locked = locked
    runs = running(store, runtime, Clock(), RunOptions()).runs
    runs.start(turn_of(), scripted, lambda _: provider_request())

    assert taken == [locked]
    assert not runs._calls.failing
    assert store.find_run("ann", "run-1") is not None


@pytest.mark.parametrize(
    "error, code",
    [
        (ProviderNotConfigured("openai", "OPENAI_API_KEY"), "cannot_go_on"),
        (UpstreamTimeout(), "upstream_timeout"),
        (LookupError("ours"), "internal_error"),
    ],
)
def test_a_run_that_cannot_ask_its_model_fails_and_its_session_is_free(
    runs: RunService,
    memory_store: MemoryStore,
    runtime: ManualRuntime,
    scripted: ScriptedProvider,
    error: Exception,
    code: str,
) -> None:
    def make_request(_: list[Message]) -> ProviderRequest:
        raise error

    runs.start(turn_of(), scripted, make_request)
    runtime.run()
    ended = memory_store.find_run("ann", "run-1")

    assert ended is not None and ended.error is not None
    assert (ended.status, ended.error["code"]) == ("failed", code)
    assert runs.counts()["running"] == 0
    runs.start(turn_of(run_id="run-2"), scripted, lambda _: provider_request())


def test_run_is_followed_to_its_end(start: Start, runs: RunService) -> None:
    start()

    assert read_all(runs.follow(runs.find("ann", "run-1"))) == "Hello there"
    assert runs.find("ann", "run-1").record.status == "completed"


def test_following_ahead_of_the_log_is_refused(start: Start, runs: RunService) -> None:
    start()

    with pytest.raises(BadCursor):
        runs.follow(runs.find("ann", "run-1"), after=1)


def test_provider_is_given_the_branch(start: Start, runtime: ManualRuntime) -> None:
    run = start()
    runtime.run()

    assert [message.text for message in run.request.messages] == ["hi"]


@pytest.mark.parametrize("state", ["going", "kept", "stored"])
def test_foreign_run_is_not_found(
    start: Start, runs: RunService, runtime: ManualRuntime, clock: HandClock, state: str
) -> None:
    start()
    if state != "going":
        runtime.run()
    if state == "stored":
        clock.advance(KEEP_ENDED_S)
        runs.tick()

    assert runs.find("ann", "run-1").record.owner == "ann"
    for ask in (runs.find, runs.stop):
        with pytest.raises(NotFound):
            ask("bob", "run-1")


def test_what_a_run_waits_for_is_what_its_log_says() -> None:
    """Who has read that it waits may answer before the run's own record says so."""
    actions = [{"kind": "question", "approval_id": "a", "schema": {"type": "object"}}]
    step = Entry(1, "step_end", {"usage": {}, "requires_action": actions}, START)
    found = FoundRun(run_record(status="running"), RunLog([step]))

    assert (found.status, found.pending, found.record.pending) == ("requires_action", actions, None)
    answer = Entry(2, "approval_answer", {"approval_id": "a", "approved": True}, START)
    found.log.append([answer])
    assert found.pending == ()


def test_absent_run_is_not_found(runs: RunService) -> None:
    with pytest.raises(NotFound):
        runs.find("ann", "nowhere")


def test_run_that_is_stored_but_not_registered_is_waited_for(
    start: Start, runs: RunService, runtime: ManualRuntime
) -> None:
    run = start()
    runs._registry._going.clear()
    runtime.call_soon(lambda: runs._registry._going.update({"run-1": run}))

    assert runs.find("ann", "run-1").live is run
    assert runtime.sleeps[0] == STARTING_LOOK_S


def test_run_that_is_never_registered_is_read_from_the_store(
    runs: RunService, memory_store: MemoryStore, runtime: ManualRuntime
) -> None:
    memory_store.begin_turn(turn_of())
    found = runs.find("ann", "run-1")

    assert (found.live, found.status, found.log.last_seq) == (None, "running", 0)
    assert sum(runtime.sleeps) >= STARTING_WAIT_S


def test_run_of_another_process_goes_on_and_its_receipt_says_so(
    runs: RunService, memory_store: MemoryStore, runtime: ManualRuntime
) -> None:
    memory_store.begin_turn(turn_of(worker_id="other"))
    receipt = runs.stop("ann", "run-1")

    assert (receipt.status, receipt.upstream_closed) == ("running", False)
    assert runtime.sleeps == []  # nobody waits for it to be registered here


def test_second_start_on_a_busy_session_is_refused(start: Start, runs: RunService) -> None:
    start("run-1", "s-1")

    with pytest.raises(SessionBusy) as refused:
        start("run-2", "s-1")
    assert refused.value.run_id == "run-1"
    assert runs._registry.counts() == {"running": 1, "queued": 0, "ended": 0}


def test_stop_keeps_the_text_and_gives_a_receipt(
    start: Start, runs: RunService, scripted: ScriptedProvider, runtime: ManualRuntime
) -> None:
    receipts = []
    scripted.enqueue("so far", lambda: receipts.append(runs.stop("ann", "run-1")), "never", STOP)
    run = start()
    runtime.run()

    [receipt] = receipts
    assert (receipt.status, receipt.seq, receipt.run_id) == ("stopped", 2, "run-1")
    assert run.log.text() == "so far"
    assert receipt.to_json()["usage"]["source"] == "estimated"


def test_stop_before_the_first_piece_never_asks_the_provider(
    start: Start, runs: RunService, scripted: ScriptedProvider, runtime: ManualRuntime
) -> None:
    start()
    receipt = runs.stop("ann", "run-1")
    runtime.run()

    assert (receipt.status, receipt.seq, receipt.upstream_closed) == ("stopped", 1, None)
    assert scripted.requests == []


def test_stop_twice_gives_the_same_receipt(start: Start, runs: RunService) -> None:
    start()

    assert runs.stop("ann", "run-1") == runs.stop("ann", "run-1")


def test_stop_of_a_run_read_from_the_store_tells_how_it_ended(
    start: Start, runs: RunService, runtime: ManualRuntime, clock: HandClock
) -> None:
    start()
    runtime.run()
    clock.advance(KEEP_ENDED_S)
    runs.tick()
    receipt = runs.stop("ann", "run-1")

    assert (receipt.status, receipt.seq, receipt.upstream_closed) == ("completed", 3, None)
    assert receipt.stopped_in_ms == 0.0


def test_receipt_is_true_when_the_end_is_not_stored_yet(
    runtime: ManualRuntime, clock: HandClock, scripted: ScriptedProvider
) -> None:
    store = FaultyStore()
    limits = RunOptions(store_timeout_s=1000)
    runtime.call_soon = lambda function: None  # type: ignore[method-assign]
    runs = running(store, runtime, clock.clock, limits).runs
    runs.start(turn_of(), scripted, lambda _: provider_request())
    before = clock.monotonic
    receipt = runs.stop("ann", "run-1")

    assert clock.monotonic - before == STOP_WAIT_S
    assert (receipt.status, receipt.usage) == ("running", None)
    assert receipt.to_json()["usage"] is None


def test_ended_run_is_kept_a_while_then_read_from_the_store(
    start: Start, runs: RunService, runtime: ManualRuntime, clock: HandClock
) -> None:
    start()
    runtime.run()
    kept = runs.find("ann", "run-1")
    clock.advance(KEEP_ENDED_S - 0.1)
    runs.tick()
    assert runs.find("ann", "run-1").live is kept.live

    clock.advance(0.1)
    runs.tick()
    stored = runs.find("ann", "run-1")
    assert stored.live is None
    assert (stored.record, stored.log.since(0)) == (kept.record, kept.log.since(0))


def test_ended_run_of_a_deleted_session_is_forgotten(
    start: Start, runs: RunService, runtime: ManualRuntime, memory_store: MemoryStore
) -> None:
    start("run-1", "s-1")
    start("run-2", "s-2")
    runtime.run()
    memory_store.delete_session("ann", "s-1")
    runs.forget("ann", "s-1")

    with pytest.raises(NotFound):
        runs.find("ann", "run-1")
    assert runs.find("ann", "run-2").live is not None


def test_tick_wakes_readers_for_their_heartbeat(
    start: Start, runs: RunService, clock: HandClock
) -> None:
    run = start()
    reader = runs.follow(runs.find("ann", "run-1"))
    reader.deadline = clock.monotonic
    run.log.take(reader)
    runs.tick()

    assert reader._waiter.woken  # type: ignore[attr-defined]


def test_age_counts_from_the_start(start: Start, runs: RunService, clock: HandClock) -> None:
    start()
    found = runs.find("ann", "run-1")
    clock.advance(2.34)
    assert runs.age_s(found) == 2.3

    clock.wall -= 100
    assert runs.age_s(found) == 0.0


def test_details_say_nothing_of_what_was_said(start: Start, runs: RunService) -> None:
    start()

    [details] = runs.details()
    assert (details["run_id"], details["owner"], details["seq"]) == ("run-1", "ann", 0)
    assert "hi" not in details.values()


def test_end_is_told_and_counted_once(
    memory_store: MemoryStore, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    metrics = Metrics()
    parts = make_runs(memory_store, NoLocks(), runtime, Clock(), RunOptions(), metrics)
    listener = parts.broker.listen("ann", "s-1")
    scripted.enqueue("a", ("usage", USAGE), STOP)
    scripted.enqueue(UpstreamTimeout())
    for run_id in ("run-1", "run-2"):
        parts.runs.start(turn_of(run_id), scripted, lambda _: provider_request())
        runtime.run()

    ends = [listener.next(0), listener.next(0)]
    assert [(news.name, news.data["status"]) for news in ends if news] == [
        ("run_ended", "completed"),
        ("run_ended", "failed"),
    ]
    assert metrics.runs.all() == {"completed": 1, "stopped": 0, "failed": 1, "interrupted": 0}
    assert metrics.errors.all() == {"upstream_timeout": 1}


def test_run_of_another_worker_is_stopped_through_the_broker(
    memory_store: MemoryStore, runtime: ManualRuntime, scripted: ScriptedProvider, clock: HandClock
) -> None:
    owner = running(memory_store, runtime, clock.clock)
    other = make_runs(
        memory_store, NoLocks(), runtime, clock.clock, RunOptions(), Metrics(), broker=owner.broker
    )
    other.worker.register()
    run = owner.runs.start(turn_of(), scripted, lambda _: provider_request())
    receipt = other.runs.stop("ann", "run-1")

    assert (receipt.status, run.record.status) == ("stopped", "stopped")
    assert other.runs.stop("ann", "run-1") == receipt


def test_run_of_another_worker_is_followed_without_a_poll(
    memory_store: MemoryStore, runtime: ManualRuntime, scripted: ScriptedProvider, clock: HandClock
) -> None:
    owner = running(memory_store, runtime, clock.clock)
    other = make_runs(
        memory_store, NoLocks(), runtime, clock.clock, RunOptions(), Metrics(), broker=owner.broker
    )
    other.worker.register()
    scripted.enqueue("Hel", "lo", STOP)
    owner.runs.start(turn_of(), scripted, lambda _: provider_request())
    found = other.runs.find("ann", "run-1")
    with found.watched():
        runtime.run()

    assert found.live is None
    assert found.log.text() == "Hello"
    assert found.log.end is not None
