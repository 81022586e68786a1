"""What the committer owes: ends that were shown unstored, and ends that others have written."""

from __future__ import annotations

import pytest

from app.core.entries import Entry
from app.core.errors import StorageUnavailable
from app.core.messages import text_parts
from app.core.run_errors import RunInterrupted
from app.core.store import WorkerLost
from app.runs.run import STOPPED, Run
from tests.conftest import WORKER
from tests.runs.stage import STORE_TIMEOUT_S, Stage
from tests.support.samples import continuing, ended, run_end, texts, turn_of


def break_store(stage: Stage, error: Exception | None = None) -> None:
    stage.store.locked, stage.store.broken = True, error or StorageUnavailable()


def mend_store(stage: Stage) -> None:
    stage.store.locked, stage.store.broken = False, None


def failed(stage: Stage, run_id: str = "run-1") -> Run:
    """Return a run that was shown `kept`, then ended unstored."""
    run = stage.run(run_id)
    stage.offer(run, "kept")
    stage.runtime.run()
    break_store(stage)
    stage.offer(run, " lost", first=2)
    stage.runtime.run()
    return run


def active_run(stage: Stage, run_id: str = "run-1") -> str | None:
    found = stage.store.find_session("ann", f"session of {run_id}")
    assert found is not None
    return found.active_run_id


# --- settling -----------------------------------------------------------------------------------


def test_end_that_was_shown_unstored_is_stored_when_the_store_is_back(stage: Stage) -> None:
    run = failed(stage)
    mend_store(stage)
    stage.committer.store_late_ends()

    assert stage.store.read_entries("run-1") == run.log.since(0)
    stored = stage.store.find_run("ann", "run-1")
    assert stored and (stored.status, stored.last_seq) == ("failed", 2)
    assert stored.error and stored.error["code"] == "storage_unavailable"
    reply = stage.store.read_branch("ann", "session of run-1")[-1]
    assert (reply.text, reply.status) == ("kept", "failed")


def test_end_comes_after_what_a_commit_that_was_given_up_has_stored(stage: Stage) -> None:
    """Whoever reads the store has seen that: there is one log, for all."""
    run = failed(stage)
    mend_store(stage)
    assert run.log.end is not None
    stage.store.unknown["run-1"] = texts(" lost", "!", first=2)
    stage.committer.store_late_ends()

    stored = stage.store.read_entries("run-1")
    assert stored == [*texts("kept", " lost", "!"), run.log.end._replace(seq=4)]
    reply = stage.store.read_branch("ann", "session of run-1")[-1]
    assert (reply.text, reply.status) == ("kept lost!", "failed")
    assert stage.forgotten == ["run-1"]  # from now on that is what is seen here, too


def test_end_that_was_stored_all_the_same_is_the_one(stage: Stage) -> None:
    failed(stage)
    mend_store(stage)
    stage.store.append(WORKER, ended(turn_of("run-1").run, texts(" all", first=2)))
    stage.committer.store_late_ends()

    assert [entry.seq for entry in stage.store.read_entries("run-1")] == [1, 2, 3]
    assert stage.store.find_run("ann", "run-1").status == "completed"  # type: ignore[union-attr]
    assert stage.forgotten == ["run-1"]


def test_session_is_free_again_once_settled(stage: Stage) -> None:
    failed(stage)
    mend_store(stage)
    assert active_run(stage) == "run-1"

    stage.committer.store_late_ends()
    assert active_run(stage) is None


def test_settling_waits_until_the_store_works(stage: Stage) -> None:
    run = failed(stage)
    with pytest.raises(StorageUnavailable):
        stage.committer.store_late_ends()
    assert stage.store.read_entries("run-1") == texts("kept")

    mend_store(stage)
    stage.committer.store_late_ends()
    assert stage.store.read_entries("run-1") == run.log.since(0)


def test_end_is_settled_once(stage: Stage) -> None:
    failed(stage)
    mend_store(stage)
    stage.committer.store_late_ends()
    before = stage.store.tries
    stage.committer.store_late_ends()

    assert stage.store.tries == before


def test_all_that_is_owed_is_settled(stage: Stage) -> None:
    failed(stage, "run-1")
    mend_store(stage)
    failed(stage, "run-2")
    mend_store(stage)
    stage.committer.store_late_ends()

    assert active_run(stage, "run-1") is active_run(stage, "run-2") is None


def test_end_that_another_worker_wrote_is_not_owed(stage: Stage) -> None:
    failed(stage)
    mend_store(stage)
    stage.store.take_over(WORKER, RunInterrupted().end_data(), stage.clock.wall)
    stage.committer.store_late_ends()
    stage.committer.store_late_ends()

    stored = stage.store.find_run("ann", "run-1")
    assert stored and stored.status == "interrupted"
    # Who asks from now on is told what all others are.
    assert stage.forgotten == ["run-1"]


def test_end_that_can_never_be_stored_holds_up_no_other(stage: Stage) -> None:
    failed(stage, "run-1")
    mend_store(stage)
    failed(stage, "run-2")
    mend_store(stage)
    stage.store.errors = [TypeError("Integer exceeds 64-bit range")]
    stage.committer.store_late_ends()

    assert active_run(stage, "run-1") == "run-1"
    assert active_run(stage, "run-2") is None


def test_settled_end_of_a_continuation_keeps_the_text_before(stage: Stage) -> None:
    session_id = "session of run-2"
    first = turn_of("run-1", session_id=session_id)
    stage.store.begin_turn(first)
    stage.store.append_now(WORKER, ended(first.run, texts("Hel"), run_end("stopped", "stopped")))
    turn = continuing("run-2", "run-1-reply", session_id=session_id)
    run = stage.begin(turn)
    run.base = text_parts("Hel")
    break_store(stage)
    stage.offer(run, "lo")
    stage.runtime.run()
    mend_store(stage)
    stage.committer.store_late_ends()

    assert stage.store.read_branch("ann", session_id)[-1].text == "Hel"


# --- a store that fails while a run is being stopped ----------------------------------------------


def test_stop_that_takes_longer_than_the_store_may_fail_is_no_second_end(stage: Stage) -> None:
    class SlowTask:
        def kill(self) -> None:
            stage.runtime.run()  # until the store was given up

    run, other = stage.run("run-1"), stage.run("run-2")
    run.task = SlowTask()
    break_store(stage)
    stage.offer(run, "a")
    run.end_with(STOPPED)
    mend_store(stage)
    stage.offer(other, "b")
    stage.runtime.run()

    assert [entry.kind for entry in run.log.since(0)] == ["end"]
    assert stage.end_of(run)["status"] == "failed"
    assert other.log.text() == stage.stored(other) == "b"


def test_health_is_told_of_each_try(stage: Stage) -> None:
    run = stage.run()
    stage.store.locked = True
    stage.store.errors = [StorageUnavailable()]
    stage.offer(run, "a")
    stage.runtime.run()

    assert stage.health == [False, True]


# --- workers that were taken for dead -------------------------------------------------------------


def lose(stage: Stage) -> None:
    stage.store.take_over(WORKER, RunInterrupted().end_data(), stage.clock.wall)


def test_loss_is_told_with_the_worker(stage: Stage) -> None:
    run = stage.run()
    lose(stage)
    stage.offer(run, "a")
    stage.runtime.run()

    assert stage.lost == [WORKER]


def test_runs_of_two_workers_are_two_batches(stage: Stage) -> None:
    old, new = stage.run("run-1"), stage.run("run-2", worker_id="new")
    lose(stage)
    stage.offer(old, "a")
    stage.offer(new, "b")
    stage.runtime.run()

    assert (old.record.status, new.log.text()) == ("interrupted", "b")
    tried = [[run_id for run_id, _ in batch.entries] for batch in stage.store.batches]
    assert tried == [["run-1"], ["run-2"]]


def test_lost_run_whose_session_is_gone_ends_all_the_same(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "a")
    stage.runtime.run()
    lose(stage)
    stage.store.delete_session("ann", "session of run-1")
    stage.offer(run, "late", first=2)
    stage.runtime.run()

    assert [(e.seq, e.kind) for e in run.log.since(0)] == [(1, "text"), (2, "end")]
    assert stage.end_of(run)["status"] == "interrupted"


def test_lost_run_whose_end_cannot_be_read_ends_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_entries(run_id: str, after: int = 0) -> list[Entry]:
        raise StorageUnavailable()

    run = stage.run()
    lose(stage)
    monkeypatch.setattr(stage.store, "read_entries", read_entries)
    stage.offer(run, "late")
    stage.runtime.run()

    assert stage.end_of(run)["status"] == "interrupted"
    assert stage.end_of(run)["error"]["code"] == "shutting_down"


def test_failure_to_go_on_as_a_new_worker_holds_up_nobody(stage: Stage) -> None:
    stage.fails_to_register = True
    old, new = stage.run("run-1"), stage.run("run-2", worker_id="new")
    lose(stage)
    stage.offer(old, "a")
    stage.offer(new, "b")
    with pytest.raises(StorageUnavailable):  # a runtime logs it
        stage.runtime.run()
    stage.runtime.run()

    assert new.log.text() == stage.stored(new) == "b"


def test_worker_that_is_lost_while_the_store_fails_is_no_failure(stage: Stage) -> None:
    run = stage.run()
    break_store(stage)
    stage.store.errors = [StorageUnavailable(), WorkerLost(WORKER)]
    stage.offer(run, "a")
    before = stage.clock.monotonic
    stage.runtime.run()

    assert stage.end_of(run)["status"] == "interrupted"
    assert stage.clock.monotonic - before < STORE_TIMEOUT_S
