"""Logs that another process writes: shared while they are watched, brought up to date by polls."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from app.broker.local import LocalBroker
from app.core.broker import Follower
from app.core.entries import Entry
from app.core.errors import StorageUnavailable
from app.core.runs import RunRecord
from app.runs.log import LogReader, RunLog
from app.runs.remote_logs import SILENCE_S, RemoteLogs
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime, ManualWaiter, at_once
from tests.support.samples import end_entry, run_record, texts


class Stored:
    """What another process has stored so far, and how often it was read."""

    def __init__(self) -> None:
        self.entries = texts("a", "b")
        self.reads: list[tuple[str, int]] = []
        self.fails = False

    def read(self, run_id: str, after: int) -> list[Entry]:
        self.reads.append((run_id, after))
        if self.fails:
            raise StorageUnavailable()
        return [entry for entry in self.entries if entry.seq > after]

    def write(self, *entries: Entry) -> None:
        self.entries += entries


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def broker(runtime: ManualRuntime, clock: HandClock) -> LocalBroker:
    return LocalBroker(runtime.new_waiter, clock.clock.monotonic)


class Watching(RemoteLogs):
    """Logs that a viewer watches from when they are opened, to the end of the test."""

    def __init__(self, stored: Stored, broker: LocalBroker, clock: HandClock) -> None:
        super().__init__(stored.read, broker, clock.clock.monotonic)
        self.views = ExitStack()

    def open(self, record: RunRecord) -> RunLog:
        """Open it, and watch it."""
        log = super().open(record)
        self.views.enter_context(self.watched(record.id))
        return log


@pytest.fixture
def logs(stored: Stored, broker: LocalBroker, clock: HandClock) -> Iterator[Watching]:
    logs = Watching(stored, broker, clock)
    with logs.views:
        yield logs


def reader_of(log: RunLog, runtime: ManualRuntime, clock: HandClock) -> LogReader:
    return LogReader(log, log.last_seq, ManualWaiter(runtime), 5, clock.clock.monotonic)


def test_log_has_all_that_is_stored(logs: RemoteLogs, stored: Stored) -> None:
    assert logs.open(run_record("run-1")).since(0) == texts("a", "b")


def test_readers_share_a_log(logs: RemoteLogs, stored: Stored) -> None:
    assert logs.open(run_record("run-1")) is (log := logs.open(run_record("run-1")))
    assert logs.open(run_record("run-2")) is not log
    # Whose owner is not heard is brought up to date.
    assert stored.reads == [("run-1", 0), ("run-1", 2), ("run-2", 0)]


def test_readers_that_come_at_once_share_a_log(logs: RemoteLogs) -> None:
    found = at_once(20, lambda _: logs.open(run_record("run-1")))

    assert len({id(log) for log in found}) == 1


def test_poll_reads_only_what_is_new(logs: RemoteLogs, stored: Stored) -> None:
    log = logs.open(run_record("run-1"))
    stored.write(*texts("c", first=3))
    logs.poll()
    logs.poll()

    assert log.text() == "abc"
    assert stored.reads == [("run-1", 0), ("run-1", 2), ("run-1", 3)]


def test_poll_wakes_the_readers(
    logs: RemoteLogs, stored: Stored, runtime: ManualRuntime, clock: HandClock
) -> None:
    reader = reader_of(logs.open(run_record("run-1")), runtime, clock)
    stored.write(*texts("c", first=3))
    runtime.call_soon(logs.poll)

    assert reader.read() == texts("c", first=3)


def test_log_ends_with_the_end_that_is_stored(logs: RemoteLogs, stored: Stored) -> None:
    log = logs.open(run_record("run-1"))
    stored.write(end_entry(3))
    logs.poll()
    logs.poll()

    assert log.end == end_entry(3)
    assert len(stored.reads) == 2  # it is watched no more


def test_ended_log_is_not_watched(logs: RemoteLogs, stored: Stored) -> None:
    stored.write(end_entry(3))
    log = logs.open(run_record("run-1"))
    logs.poll()

    assert log.end is not None
    assert len(stored.reads) == 1


def test_log_is_forgotten_with_its_last_reader(logs: RemoteLogs, stored: Stored) -> None:
    log = logs.open(run_record("run-1"))
    del log
    gc.collect()
    logs.poll()

    assert len(stored.reads) == 1


def test_store_that_fails_changes_nothing(logs: RemoteLogs, stored: Stored) -> None:
    log = logs.open(run_record("run-1"))
    stored.fails = True
    with pytest.raises(StorageUnavailable):
        logs.poll()
    stored.fails = False
    stored.write(end_entry(3))
    logs.poll()

    assert log.end is not None


def test_readers_are_woken_for_their_heartbeat(
    logs: RemoteLogs, runtime: ManualRuntime, clock: HandClock
) -> None:
    log = logs.open(run_record("run-1"))
    reader = reader_of(log, runtime, clock)
    reader.deadline = clock.monotonic + 5
    log.take(reader)
    logs.wake_due(clock.monotonic + 4.9)
    assert not reader._waiter.woken  # type: ignore[attr-defined]

    logs.wake_due(clock.monotonic + 5)
    assert reader._waiter.woken  # type: ignore[attr-defined]


# --- what the broker tells ------------------------------------------------------------------------


def test_entries_that_are_told_need_no_poll(
    logs: RemoteLogs, stored: Stored, broker: LocalBroker
) -> None:
    log = logs.open(run_record("run-1"))
    broker.publish_entries("run-1", texts("c", first=3))

    assert log.since(0) == texts("a", "b", "c")
    assert len(stored.reads) == 1


@pytest.mark.parametrize("told", [texts("b", "c", first=2), texts("a", "b", "c")])
def test_entries_that_are_told_twice_are_there_once(
    logs: RemoteLogs, broker: LocalBroker, told: list[Entry]
) -> None:
    log = logs.open(run_record("run-1"))
    broker.publish_entries("run-1", told)
    broker.publish_entries("run-1", told)

    assert log.since(0) == texts("a", "b", "c")


def test_gap_is_filled_from_the_store(
    logs: RemoteLogs, stored: Stored, broker: LocalBroker
) -> None:
    log = logs.open(run_record("run-1"))
    broker.publish_entries("run-1", texts("d", first=4))
    assert log.since(0) == texts("a", "b")

    stored.write(*texts("c", "d", first=3))
    logs.poll()
    assert log.since(0) == texts("a", "b", "c", "d")


def test_nobody_is_told_of_a_run_that_nobody_watches(logs: RemoteLogs, broker: LocalBroker) -> None:
    logs.open(run_record("run-1"))
    ended = logs.open(run_record("run-2"))
    broker.publish_entries("run-2", [end_entry(3)])
    assert ended.end is not None
    gc.collect()
    logs.poll()

    assert broker._followers == {}


class Telling(LocalBroker):
    """A broker that notes whom it was asked to let follow, and tells what it is told to."""

    def __init__(self, runtime: ManualRuntime, clock: HandClock) -> None:
        super().__init__(runtime.new_waiter, clock.clock.monotonic)
        self.followed: list[tuple[str, str]] = []
        self.left: list[str] = []
        self.follower: Follower | None = None

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Note it."""
        self.followed.append((follower.run_id, follower.worker_id))
        self.follower = follower
        return lambda: self.left.append(follower.worker_id)


@pytest.fixture
def telling(runtime: ManualRuntime, clock: HandClock) -> Telling:
    return Telling(runtime, clock)


@pytest.fixture
def told(stored: Stored, telling: Telling, clock: HandClock) -> Iterator[Watching]:
    logs = Watching(stored, telling, clock)
    with logs.views:
        yield logs


def test_owner_that_is_heard_spares_the_store(
    told: RemoteLogs, telling: Telling, stored: Stored, clock: HandClock
) -> None:
    log = told.open(run_record("run-1"))
    assert telling.follower is not None
    telling.follower.take([], 2)
    clock.advance(SILENCE_S - 0.1)
    told.poll()
    assert len(stored.reads) == 1

    clock.advance(0.1)
    told.poll()
    assert stored.reads == [("run-1", 0), ("run-1", log.last_seq)]


@pytest.mark.parametrize("behind", [True, False])
def test_owner_that_is_ahead_or_has_lost_it_counts_as_silent(
    told: RemoteLogs, telling: Telling, stored: Stored, behind: bool
) -> None:
    log = told.open(run_record("run-1"))
    assert telling.follower is not None
    telling.follower.take([], 2)
    stored.write(*texts("c", first=3))
    if behind:
        telling.follower.heard_at = -math.inf  # type: ignore[attr-defined]
        telling.follower.take([], 3)
    else:
        telling.follower.lose()
    told.poll()

    assert log.text() == "abc"


def test_run_that_goes_on_elsewhere_is_followed_there(told: RemoteLogs, telling: Telling) -> None:
    record = run_record("run-1")
    log = told.open(record)
    again = told.open(replace(record, worker_id="other"))

    assert again is log
    assert telling.followed == [("run-1", record.worker_id), ("run-1", "other")]
    assert telling.left == [record.worker_id]


def test_owner_is_asked_while_somebody_watches(
    stored: Stored, telling: Telling, clock: HandClock
) -> None:
    logs, record = RemoteLogs(stored.read, telling, clock.clock.monotonic), run_record("run-1")
    log = logs.open(record)
    logs.poll()
    assert (telling.followed, log.text()) == ([], "ab")

    with logs.watched("run-1"), logs.watched("run-1"):
        assert telling.followed == [("run-1", record.worker_id)]
    assert telling.left == [record.worker_id]

    with logs.watched("run-1"):
        assert len(telling.followed) == 2
