"""Recovery: the runs of a worker that is gone are ended once; those of a living one go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.errors import SessionBusy
from app.core.store import Batch, WorkerLost
from app.runs.worker import Recovery
from app.stores.memory import MemoryStore
from app.stores.no_locks import NoLocks
from app.wiring import RunParts
from tests.support.clock import HandClock
from tests.support.manual import at_once
from tests.support.samples import texts, turn_of
from tests.support.scripted import STOP
from tests.support.workers import Worker

MakeWorker = Callable[[], Worker]
WITH_FILES = pytest.mark.parametrize("worker", ["sql_path"], indirect=True)


@pytest.fixture(params=["sql_path", "postgres_url"])
def worker(request: pytest.FixtureRequest, clock: HandClock) -> Iterator[MakeWorker]:
    """Make workers on one database."""
    made: list[Worker] = []
    where = request.getfixturevalue(request.param)

    def make() -> Worker:
        made.append(Worker(where, clock))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_run_of_a_dead_worker_is_interrupted_with_its_text(worker: MakeWorker) -> None:
    dead, other = worker(), worker()
    dead.scripted.enqueue("Hel", "lo", dead.runtime.run, dead.die, STOP)
    dead.start()
    dead.runtime.step()

    assert other.recovery.sweep() == ["run-1"]
    entries = other.seen("run-1")
    assert [entry.kind for entry in entries] == ["text", "text", "end"]
    assert entries[-1].data["error"]["code"] == "shutting_down"
    assert other.store.read_branch("ann", "of run-1")[-1].text == "Hello"


def test_dead_worker_is_taken_over_once(worker: MakeWorker) -> None:
    dead, other = worker(), worker()
    dead.start()
    dead.die()

    assert [other.recovery.sweep(), other.recovery.sweep()] == [["run-1"], []]
    assert other.store.other_workers(other.id) == []


def test_of_two_recoveries_that_race_one_takes_over(worker: MakeWorker) -> None:
    dead, others = worker(), [worker(), worker(), worker()]
    dead.start("run-1")
    dead.start("run-2")
    dead.die()
    taken = at_once(3, lambda index: others[index].recovery.sweep())

    assert sorted(map(len, taken)) == [0, 0, 2]
    for run_id in ("run-1", "run-2"):
        assert [entry.kind for entry in others[0].store.read_entries(run_id)] == ["end"]


@WITH_FILES
def test_recovery_that_finds_the_lock_free_too_late_takes_nothing(worker: MakeWorker) -> None:
    dead, first, second = worker(), worker(), worker()
    dead.start()
    dead.die()
    assert second.locks.is_gone(dead.id)  # and takes the file away
    assert first.recovery.sweep() == ["run-1"]

    assert second.recovery.take_over(dead.id) == []


def test_living_worker_is_left_alone(worker: MakeWorker) -> None:
    living, other = worker(), worker()
    run = living.start()

    assert other.recovery.sweep() == []
    living.runtime.run()
    assert run.record.status == "completed"
    assert other.runs.find("ann", "run-1").record.status == "completed"


def test_worker_does_not_take_itself_for_dead(worker: MakeWorker) -> None:
    alone = worker()
    alone.start()

    assert alone.recovery.sweep() == []
    assert not alone.locks.is_gone(alone.id)


@WITH_FILES
def test_id_that_is_no_file_name_is_nobodys(worker: MakeWorker) -> None:
    one = worker()
    one.store.register_worker("../../etc/passwd", 0)

    assert one.recovery.sweep() == []


def test_worker_that_leaves_in_order_leaves_nothing(worker: MakeWorker) -> None:
    leaving, other = worker(), worker()
    leaving.start()
    leaving.recovery.retire()

    assert other.recovery.sweep() == []
    assert other.seen("run-1")[-1].data["status"] == "interrupted"


@WITH_FILES
def test_worker_that_leaves_in_order_leaves_no_file(worker: MakeWorker, sql_path: str) -> None:
    leaving, other = worker(), worker()
    leaving.recovery.retire()

    names = [path.name for path in Path(f"{sql_path}.workers").iterdir()]
    assert names == [f"{other.id}.lock"]


def test_session_of_a_dead_worker_is_free_again(worker: MakeWorker) -> None:
    dead, other = worker(), worker()
    dead.start("run-1", "s-1")
    dead.die()
    with pytest.raises(SessionBusy):
        other.start("run-2", "s-1")

    other.recovery.sweep()
    other.start("run-2", "s-1")


def test_viewer_elsewhere_is_told_of_the_end(worker: MakeWorker) -> None:
    dead, other = worker(), worker()
    dead.scripted.enqueue("a", dead.runtime.run, dead.die, STOP)
    dead.start()
    dead.runtime.step()
    reader = other.runs.follow(other.runs.find("ann", "run-1"))
    assert reader.read() == other.store.read_entries("run-1")

    other.recovery.sweep()
    other.runs._remote.poll()
    [end] = reader.read()
    assert (end.seq, end.data["status"], reader.done) == (2, "interrupted", True)


# --- taken for dead while alive -----------------------------------------------------------------


def test_worker_taken_for_dead_is_refused(worker: MakeWorker) -> None:
    lost, other = worker(), worker()
    lost.start()
    other.recovery.take_over(lost.id)

    with pytest.raises(WorkerLost):
        lost.store.append(lost.id, Batch([("run-1", texts("a"))]))


@pytest.mark.parametrize("late", [(), ("late",), ("late", "later")])
def test_viewers_of_a_lost_worker_see_the_stored_end_and_nothing_after(
    worker: MakeWorker, late: tuple[str, ...]
) -> None:
    lost, other = worker(), worker()

    def take_over() -> None:
        other.recovery.take_over(lost.id)

    lost.scripted.enqueue("shown", lost.runtime.run, take_over, *late, STOP)
    run = lost.start()
    lost.runtime.run()

    stored = other.store.read_entries("run-1")
    assert [entry.kind for entry in stored] == ["text", "end"]
    assert run.log.since(0) == lost.seen("run-1") == stored
    assert (run.record.status, run.record.last_seq) == ("interrupted", 2)


def test_all_runs_of_a_lost_worker_see_their_stored_ends(worker: MakeWorker) -> None:
    lost, other = worker(), worker()
    lost.scripted.enqueue("a", lambda: other.recovery.take_over(lost.id), "late", STOP)
    lost.scripted.enqueue("x", "y", STOP)
    runs = [lost.start("run-1"), lost.start("run-2")]
    lost.runtime.run()

    for run in runs:
        assert run.log.end is not None
        assert run.log.since(0) == other.store.read_entries(run.record.id)
    assert lost.runs._registry.going() == []


def test_run_that_was_silent_at_the_loss_sees_its_stored_end(worker: MakeWorker) -> None:
    lost, other = worker(), worker()
    lost.scripted.enqueue(lambda: other.recovery.take_over(lost.id), "a", STOP)
    lost.scripted.enqueue(lost.runtime.run, "late", STOP)
    lost.start("run-1")
    silent = lost.start("run-2")
    lost.runtime.run()

    assert silent.log.since(0) == other.store.read_entries("run-2")
    assert (silent.record.status, silent.record.last_seq) == ("interrupted", 1)
    assert len(other.store.other_workers(other.id)) == 1  # it registered anew once


def test_lost_worker_goes_on_as_a_new_one(worker: MakeWorker) -> None:
    lost, other = worker(), worker()
    lost.start("run-1")
    other.recovery.take_over(lost.id)
    lost.runtime.run()
    run = lost.start("run-2")
    lost.runtime.run()

    assert run.record.worker_id == lost.worker.id != lost.id
    assert other.store.read_entries("run-2") == run.log.since(0)
    assert run.record.status == "completed"
    assert other.recovery.sweep() == []  # the new one is alive


@WITH_FILES
def test_lost_worker_lets_its_file_go(worker: MakeWorker) -> None:
    lost, other = worker(), worker()
    lost.start()
    other.recovery.take_over(lost.id)
    lost.runtime.run()

    assert other.locks.is_gone(lost.id)


def test_idle_worker_that_was_lost_goes_on_as_a_new_one(worker: MakeWorker) -> None:
    lost, other = worker(), worker()
    other.recovery.take_over(lost.id)
    lost.start("run-1", "s-1")
    lost.runtime.run()
    assert other.runs.find("ann", "run-1").record.status == "completed"


def test_run_that_began_as_the_new_worker_is_not_interrupted(worker: MakeWorker) -> None:
    lost, other = worker(), worker()
    old = lost.start("run-1")
    other.recovery.take_over(lost.id)
    lost.worker.register()
    new = lost.start("run-2")
    lost.runtime.run()

    assert (old.record.status, new.record.status) == ("interrupted", "completed")
    assert old.log.since(0) == other.store.read_entries("run-1")
    assert new.log.since(0) == other.store.read_entries("run-2")


# --- in memory ----------------------------------------------------------------------------------


@pytest.fixture
def alone(memory_store: MemoryStore, parts: RunParts, clock: HandClock) -> Recovery:
    return Recovery(memory_store, parts.locks, parts.calls, parts.worker, clock.clock)


def test_in_memory_nobody_else_was_ever_there(alone: Recovery, parts: RunParts) -> None:
    parts.worker.register()
    first = parts.worker.id
    parts.worker.register()

    assert parts.worker.id != first
    assert alone.sweep() == []
    assert not NoLocks().is_gone(first)


def test_in_memory_retiring_ends_what_runs(alone: Recovery, memory_store: MemoryStore) -> None:
    memory_store.begin_turn(turn_of())
    alone.retire()

    run = memory_store.find_run("ann", "run-1")
    assert run and run.status == "interrupted"
