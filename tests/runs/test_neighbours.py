"""Several processes on one database: users' runs are counted together, and stopped together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from app.broker.local import LocalBroker
from app.core.broker import Stop
from app.core.errors import OverCapacity
from app.core.runs import Receipt
from app.runs.worker import Neighbours
from tests.support.clock import HandClock
from tests.support.workers import Worker

MakeWorker = Callable[..., Worker]


class Deaf(LocalBroker):
    """One that reaches nobody."""

    def __init__(self, worker: Worker, clock: HandClock) -> None:
        super().__init__(worker.runtime.new_waiter, lambda: clock.monotonic)
        self.asked: list[str] = []

    def command(self, worker_id: str, command: Stop) -> Receipt | None:
        self.asked.append(worker_id)
        return None


@pytest.fixture
def worker(sql_path: str, clock: HandClock) -> Iterator[MakeWorker]:
    """Make workers on one database, of whose runs a user may have two."""
    made: list[Worker] = []

    def make(broker: LocalBroker | None = None) -> Worker:
        made.append(Worker(sql_path, clock, broker, max_runs_per_user=2))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_first_is_alone_until_it_sees_another(worker: MakeWorker) -> None:
    first = worker()
    first.recovery.sweep()
    assert not first.neighbours.shared
    second = worker()
    for one in (first, second):
        one.recovery.sweep()
        assert one.neighbours.shared

    second.die()
    first.recovery.sweep()
    assert not first.neighbours.shared


def test_changes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    neighbours, told = Neighbours(), list[bool]()
    neighbours.tell(told.append)
    for are_there in (False, True, True, False):
        neighbours.note(are_there)

    assert told == [False, True, False]
    assert len(caplog.messages) == 2


def test_who_is_never_alone_need_not_look() -> None:
    neighbours = Neighbours(always=True)
    neighbours.note(False)

    assert neighbours.shared


def test_user_has_a_share_of_all_processes(worker: MakeWorker) -> None:
    first, second = worker(), worker()
    first.start("run-1", caller="ann")  # seen by the second though the first thinks it is alone
    second.recovery.sweep()
    second.start("run-2", caller="ann")
    with pytest.raises(OverCapacity):
        second.start("run-3", caller="ann")
    second.start("run-4", caller="bob")

    first.die()
    second.recovery.sweep()
    second.start("run-5", caller="ann")
    assert second.runs.counts() == {"running": 3, "queued": 0, "ended": 0}


def test_runs_of_another_process_are_stopped_with_ones_own(worker: MakeWorker) -> None:
    first = worker()
    second = worker(first.broker)
    there, here = first.start("run-1"), second.start("run-2")
    second.recovery.sweep()
    second.runs.stop_all("ann", "of run-1")
    assert (there.record.status, here.record.status) == ("stopped", "running")

    there = first.start("run-3")
    second.runs.stop_all("ann")
    assert (there.record.status, here.record.status) == ("stopped", "stopped")


def test_process_that_does_not_answer_is_asked_once(worker: MakeWorker, clock: HandClock) -> None:
    first = worker()
    deaf = Deaf(first, clock)
    second = worker(deaf)
    runs = [first.start(f"run-{n}", caller=f"user:{n}") for n in range(3)]
    second.recovery.sweep()
    second.runs.stop_all("ann")

    assert deaf.asked == [first.id]
    assert {run.record.status for run in runs} == {"running"}
