"""A hub that turns when it is told to, in the test's own thread."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable
from typing import Any

from app.runtimes.threads import ThreadRuntime
from tests.support.manual import WAIT_S


class HandHub(ThreadRuntime):
    """Watches descriptors and keeps timers; tasks are done where they are spawned."""

    def __init__(self) -> None:
        super().__init__()
        self._watched: dict[int, Callable[[], None]] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def spawn(self, function: Callable[..., object], *args: Any) -> Any:
        """Do it here and now."""
        function(*args)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Keep it for a turn after that time."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._count), function))

    def watch(self, fileno: int, ready: Callable[[], None]) -> Any:
        """Have it called in a turn in which there is something to read."""
        self._watched[fileno] = ready
        return _Watched(lambda: self._watched.pop(fileno))

    def turn_until(self, condition: Callable[[], object]) -> None:
        """Turn until it is true."""
        ends = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < ends, "it never comes"
            self._turn()

    def _turn(self) -> None:
        due = self._later[0][0] if self._later else time.monotonic() + 0.1
        left = max(0.0, due - time.monotonic())
        for fileno in select.select(list(self._watched), [], [], left)[0]:
            self._watched[fileno]()
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()


class _Watched:
    def __init__(self, close: Callable[[], object]) -> None:
        self.close = close
