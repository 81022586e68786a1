"""A reader of a log: waits for what is new, hears of silence, knows the end."""

from __future__ import annotations

import pytest

from app.core.errors import BadCursor
from app.runs.log import LogReader, RunLog
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.samples import end_entry, texts

HEARTBEAT_S = 5.0


class Follow:
    """A log, and readers of it."""

    def __init__(self, runtime: ManualRuntime, clock: HandClock) -> None:
        self.log = RunLog()
        self.runtime = runtime
        self.clock = clock

    def reader(self, after: int = 0) -> LogReader:
        waiter = self.runtime.new_waiter()
        return LogReader(self.log, after, waiter, HEARTBEAT_S, lambda: self.clock.monotonic)

    def soon(self, *pieces: str) -> None:
        first = self.log.last_seq + 1
        self.runtime.call_soon(lambda: self.log.append(texts(*pieces, first=first)))


@pytest.fixture
def follow(runtime: ManualRuntime, clock: HandClock) -> Follow:
    return Follow(runtime, clock)


def test_read_gives_what_is_there_without_waiting(follow: Follow) -> None:
    follow.log.append(texts("a", "b"))
    reader = follow.reader()

    assert reader.read() == texts("a", "b")
    assert reader.after == 2
    assert not reader.done


def test_read_waits_for_an_append(follow: Follow) -> None:
    reader = follow.reader()
    follow.soon("a")

    assert reader.read() == texts("a")


def test_append_wakes_every_reader(follow: Follow) -> None:
    readers = [follow.reader() for _ in range(3)]
    waiters = [reader._waiter for reader in readers]
    for reader in readers:
        assert follow.log.take(reader) == []
    follow.log.append(texts("a"))

    assert [waiter.woken for waiter in waiters] == [True] * 3  # type: ignore[attr-defined]


def test_silence_is_told_once_a_heartbeat(follow: Follow) -> None:
    reader = follow.reader()
    before = follow.clock.monotonic

    assert reader.read() == []
    assert follow.clock.monotonic - before == HEARTBEAT_S
    assert reader.read() == []
    assert follow.clock.monotonic - before == 2 * HEARTBEAT_S


def test_waking_for_nothing_is_not_a_heartbeat(follow: Follow) -> None:
    reader = follow.reader()
    follow.runtime.call_soon(reader.wake)
    before = follow.clock.monotonic

    assert reader.read() == []
    assert follow.clock.monotonic - before == HEARTBEAT_S


def test_wake_due_wakes_only_those_whose_heartbeat_is_due(follow: Follow) -> None:
    early, late = follow.reader(), follow.reader()
    early.deadline, late.deadline = 10.0, 20.0
    follow.log.take(early)
    follow.log.take(late)
    follow.log.wake_due(10.0)

    assert early._waiter.woken  # type: ignore[attr-defined]
    assert not late._waiter.woken  # type: ignore[attr-defined]


def test_entries_that_come_with_the_heartbeat_are_read(follow: Follow) -> None:
    reader = follow.reader()

    def late() -> None:
        follow.clock.advance(HEARTBEAT_S)
        follow.log.append(texts("a"))

    follow.runtime.call_soon(late)

    assert reader.read() == texts("a")


def test_end_makes_the_reader_done_once_read(follow: Follow) -> None:
    follow.log.append([*texts("a"), end_entry(2)])
    reader = follow.reader()
    assert not reader.done

    assert [entry.kind for entry in reader.read()] == ["text", "end"]
    assert reader.done
    assert reader.read() == []


def test_cursor_at_the_end_is_done_at_once(follow: Follow) -> None:
    follow.log.append([*texts("a"), end_entry(2)])

    assert follow.reader(after=2).done


def test_cursor_ahead_is_refused(follow: Follow) -> None:
    with pytest.raises(BadCursor):
        follow.reader(after=1)


def test_reader_that_dies_asleep_is_forgotten(follow: Follow) -> None:
    reader = follow.reader()

    def die() -> None:
        raise KeyboardInterrupt

    follow.runtime.call_soon(die)
    with pytest.raises(KeyboardInterrupt):
        reader.read()
    follow.log.append(texts("a"))

    assert not reader._waiter.woken  # type: ignore[attr-defined]


def test_forgetting_a_reader_that_is_awake_does_nothing(follow: Follow) -> None:
    reader = follow.reader()
    follow.log.forget(reader)

    follow.soon("a")
    assert reader.read() == texts("a")
