"""While the shared windows are away each process counts by itself."""

from __future__ import annotations

import logging

import pytest

from app.core.errors import StorageUnavailable
from app.rates.build import make_shared
from app.rates.fallback import Fallback
from app.rates.stored import StoredWindows
from app.rates.windows import CannotCount, Hit
from tests.support.clock import HandClock


class Counting:
    """Windows without end, that can be away."""

    def __init__(self) -> None:
        self.hits = 0
        self.away = False
        self.closed = False

    def hit(self, key: str, most: int, window_s: int) -> Hit:
        self.hits += 1
        if self.away:
            raise CannotCount("connection refused")
        return True, 0.0, self.hits

    def close(self) -> None:
        self.closed = True


class Both:
    def __init__(self, clock: HandClock) -> None:
        self.shared, self.own = Counting(), Counting()
        self.windows = Fallback(self.shared, self.own, "Redis", 5, lambda: clock.monotonic)

    def hit(self) -> tuple[int, int]:
        """Hit once; return how often each of the two was asked."""
        asked = self.shared.hits, self.own.hits
        self.windows.hit("stream/ann", 10, 60)
        return self.shared.hits - asked[0], self.own.hits - asked[1]


@pytest.fixture
def both(clock: HandClock) -> Both:
    return Both(clock)


def test_shared_windows_count(both: Both) -> None:
    assert [both.hit(), both.hit()] == [(1, 0), (1, 0)]


def test_own_windows_count_while_the_shared_are_away(both: Both, clock: HandClock) -> None:
    both.shared.away = True
    assert [both.hit(), both.hit()] == [(1, 1), (0, 1)]  # not tried at every hit
    clock.advance(5)
    assert [both.hit(), both.hit()] == [(1, 1), (0, 1)]
    both.shared.away = False
    assert both.hit() == (0, 1)
    clock.advance(5)
    assert [both.hit(), both.hit()] == [(1, 0), (1, 0)]


def test_begin_and_end_are_told_once(
    both: Both, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    both.shared.away = True
    for _ in range(10):
        both.hit()
        clock.advance(3)
    both.shared.away = False
    clock.advance(5)
    both.hit()
    both.hit()

    began, ended = caplog.messages
    assert "Redis (connection refused): each process counts by itself" in began
    assert "in Redis again" in ended


def test_closing_leaves_the_own_ones(both: Both) -> None:
    both.windows.close()

    assert (both.shared.closed, both.own.closed) == (True, False)


def test_store_that_counts() -> None:
    windows = StoredWindows(lambda key, most, window_s: (True, 1.0, most))

    assert windows.hit("stream/ann", 3, 60) == (True, 1.0, 3)


def test_store_that_is_away() -> None:
    def count(key: str, most: int, window_s: int) -> Hit:
        raise StorageUnavailable()

    with pytest.raises(CannotCount):
        StoredWindows(count).hit("stream/ann", 3, 60)


def test_memory_has_nothing_to_share() -> None:
    assert make_shared(Counting(), "", "", None) is None
