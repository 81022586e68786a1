"""The committer over a store that is locked, fails, or refuses: what becomes of its runs."""

from __future__ import annotations

from app.core.errors import StorageUnavailable
from app.core.run_errors import RunInterrupted
from app.core.store import WorkerLost
from app.core.usage import Usage
from app.runs.committer import RETRY_S
from app.runs.run import STOPPED
from tests.conftest import WORKER
from tests.runs.stage import STORE_TIMEOUT_S, Stage


def test_locked_store_is_written_to_in_its_own_thread(stage: Stage) -> None:
    run = stage.run()
    stage.store.locked = True
    stage.offer(run, "a")
    stage.runtime.run()

    assert stage.store.tries == 1
    assert run.log.text() == "a"


def test_what_gathers_while_a_batch_is_written_comes_next(stage: Stage) -> None:
    run = stage.run()
    stage.store.locked = True
    stage.store.errors = [StorageUnavailable()]
    stage.offer(run, "a")
    stage.runtime.step()  # the flush finds the store locked
    stage.offer(run, "b", first=2)
    stage.offer_end(run)
    stage.runtime.run()

    assert run.log.text() == stage.stored(run) == "ab"
    assert stage.end_of(run)["status"] == "completed"


def test_failing_store_is_tried_again_until_it_works(stage: Stage) -> None:
    run = stage.run()
    stage.store.now_error = StorageUnavailable()
    stage.store.errors = [StorageUnavailable(), StorageUnavailable()]
    stage.offer(run, "a")
    stage.runtime.run()

    assert stage.runtime.sleeps == [RETRY_S, RETRY_S]
    assert run.log.text() == stage.stored(run) == "a"


def test_store_that_fails_too_long_ends_its_runs(stage: Stage) -> None:
    run = stage.run()
    stage.store.locked, stage.store.broken = True, StorageUnavailable()
    before = stage.clock.monotonic
    stage.offer(run, "a")
    stage.runtime.run()

    assert STORE_TIMEOUT_S <= stage.clock.monotonic - before < STORE_TIMEOUT_S + 2 * RETRY_S
    assert stage.end_of(run)["error"]["code"] == "storage_unavailable"
    assert stage.end_of(run)["duration_s"] >= STORE_TIMEOUT_S
    assert stage.shown == [("run-1", "failed")]


def test_only_the_end_is_shown_unstored(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "kept")
    stage.runtime.run()
    stage.store.locked, stage.store.broken = True, StorageUnavailable()
    stage.offer(run, " lost", first=2)
    stage.runtime.run()

    assert [entry.kind for entry in run.log.since(0)] == ["text", "end"]
    assert run.log.text() == stage.stored(run) == "kept"
    assert run.record.usage == Usage(1, 1, "estimated")


def test_run_whose_own_end_could_not_be_stored_has_one_end(stage: Stage) -> None:
    run = stage.run()
    stage.store.locked, stage.store.broken = True, StorageUnavailable()
    stage.offer(run, "a")
    run.end_with(STOPPED)
    stage.runtime.run()

    assert stage.end_of(run)["status"] == "failed"
    assert [entry.kind for entry in run.log.since(0)] == ["end"]


def test_run_that_ended_while_the_store_failed_has_one_end(stage: Stage) -> None:
    run = stage.run()
    stage.store.locked, stage.store.broken = True, StorageUnavailable()
    stage.offer(run, "a")
    stage.runtime.step()
    run.end_with(STOPPED)
    stage.runtime.run()

    assert [entry.kind for entry in run.log.since(0)] == ["end"]
    assert stage.shown == [("run-1", "failed")]


def test_service_comes_back_by_itself(stage: Stage) -> None:
    stage.store.locked, stage.store.broken = True, StorageUnavailable()
    stage.offer(stage.run("run-1"), "a")
    stage.runtime.run()
    stage.store.locked, stage.store.broken = False, None
    run = stage.run("run-2")
    stage.offer(run, "b")
    stage.runtime.run()

    assert run.log.text() == stage.stored(run) == "b"


def test_other_run_waits_out_a_store_that_gives_up(stage: Stage) -> None:
    failing, waiting = stage.run("run-1"), stage.run("run-2")
    stage.store.locked = True
    stage.store.errors = [StorageUnavailable()] * (int(STORE_TIMEOUT_S / RETRY_S) + 2)
    stage.offer(failing, "a")
    stage.runtime.step()
    stage.offer(waiting, "b")
    stage.runtime.run()

    assert stage.end_of(failing)["status"] == "failed"
    assert waiting.log.text() == stage.stored(waiting) == "b"


def test_worker_taken_for_dead_interrupts_its_runs(stage: Stage) -> None:
    run = stage.run()
    stage.store.take_over(WORKER, RunInterrupted().end_data(), stage.clock.wall)
    stage.offer(run, "a")
    stage.runtime.run()

    assert stage.end_of(run)["status"] == "interrupted"
    assert run.record.error and run.record.error["code"] == "shutting_down"
    assert stage.stored(run) == run.log.text() == ""
    assert run.log.since(0) == stage.store.read_entries("run-1")


def test_worker_lost_is_not_tried_again(stage: Stage) -> None:
    stage.store.locked, stage.store.broken = True, WorkerLost(WORKER)
    stage.offer(stage.run(), "a")
    stage.runtime.run()

    assert (stage.store.tries, stage.runtime.sleeps) == (1, [])


def test_batch_that_can_never_be_stored_holds_up_nobody(stage: Stage) -> None:
    bad, good = stage.run("run-1"), stage.run("run-2")
    stage.store.now_error = stage.store.broken = TypeError("Integer exceeds 64-bit range")
    stage.offer(bad, "a")
    stage.runtime.run()
    stage.store.now_error = stage.store.broken = None
    stage.offer(good, "b")
    stage.runtime.run()

    assert stage.end_of(bad)["error"]["code"] == "internal_error"
    assert good.log.text() == stage.stored(good) == "b"
