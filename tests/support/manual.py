"""Runtimes for tests: one that does nothing until told to, and threads with one store thread."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from app.runtimes.threads import ThreadRuntime
from tests.support.clock import HandClock

WAIT_S = 30.0  # a thread that takes longer is stuck
ROUNDING = 1e-9


class ManualTask:
    """A task that may be killed before it starts."""

    def __init__(self) -> None:
        self.killed = False

    def kill(self) -> None:
        """Never start it; one that runs already goes on, as a thread does."""
        self.killed = True


class ManualRuntime:
    """Queues tasks and callbacks, and runs them, in order, on demand. Time is a HandClock."""

    name = "manual"

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.sleeps: list[float] = []
        self.in_store_thread = False
        self._ready: deque[Callable[[], object]] = deque()
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def spawn(self, function: Callable[..., object], *args: Any) -> ManualTask:
        """Queue a task."""
        task = ManualTask()
        self._ready.append(lambda: task.killed or function(*args))
        return task

    def call_soon(self, function: Callable[[], None]) -> None:
        """Queue a callback."""
        self._ready.append(function)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Queue a callback for when that time has passed."""
        heapq.heappush(self._later, (self.clock.monotonic + seconds, next(self._count), function))

    def watch(self, fileno: int, ready: Callable[[], None]) -> None:
        """Return None: nothing is watched."""

    def sleep(self, seconds: float) -> None:
        """Let time pass, and run what was queued until then."""
        self.sleeps.append(seconds)
        self.clock.advance(seconds)
        self._ready_what_is_due()
        for _ in range(len(self._ready)):
            self.step()

    def new_waiter(self) -> ManualWaiter:
        """Return a waiter that runs the queue while it waits."""
        return ManualWaiter(self)

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it, here and now."""
        self.in_store_thread = True
        try:
            return function(*args)
        finally:
            self.in_store_thread = False

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it, here and now."""
        return function(*args)

    def deadline(self, seconds: float) -> AbstractContextManager[object]:
        """Return a block that nothing breaks off."""
        return nullcontext()

    def step(self) -> bool:
        """Run the next of the queue, or of what is due; False if there is none."""
        self._ready_what_is_due()
        if not self._ready:
            return False
        self._ready.popleft()()
        return True

    def _ready_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= self.clock.monotonic + ROUNDING:
            self._ready.append(heapq.heappop(self._later)[2])

    def run(self) -> None:
        """Run until nothing is left; time passes where there is nothing else to do."""
        while self.step() or self._wait():
            pass

    def _wait(self) -> bool:
        if self._later:
            self.clock.advance(max(0.0, self._later[0][0] - self.clock.monotonic))
        return bool(self._later)


class ManualWaiter:
    """Runs the queue until woken; when that is empty a second passes."""

    def __init__(self, runtime: ManualRuntime) -> None:
        self._runtime = runtime
        self.woken = False

    def wait(self) -> None:
        """Return once woken, or after a second in which nothing happened."""
        while not self.woken and self._runtime.step():
            pass
        if not self.woken:
            self._runtime.clock.advance(1.0)
        self.woken = False

    def wake(self) -> None:
        """Wake it, now or as soon as it waits."""
        self.woken = True


class OneStoreThread(ThreadRuntime):
    """Threads, with blocking calls one at a time, as the green runtimes have them."""

    def __init__(self) -> None:
        super().__init__()
        self._store = threading.Lock()

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it when no other is being called."""
        with self._store:
            return function(*args)


def at_once(count: int, function: Callable[[int], Any]) -> list[Any]:
    """Call `function(index)` in that many threads at the same moment; return the results."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def call(index: int) -> None:
        barrier.wait(WAIT_S)
        results[index] = function(index)

    threads = [threading.Thread(target=call, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return results
