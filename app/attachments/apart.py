"""Work that takes a processor for long, off the hub: so many at a time, in the order they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from app.runs.ports import Waiter

AT_ONCE = 2
P = ParamSpec("P")
R = TypeVar("R")


class Runs(Protocol):
    """What of a runtime is needed."""

    def new_waiter(self) -> Waiter: ...

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any: ...


@dataclass(slots=True, eq=False)
class _Waiting:
    waiter: Waiter
    is_let_in: bool = False


class Gate:
    """Lets so many in at once; who comes when it is full waits, in the order of coming.
    Thread-safe."""

    def __init__(self, most: int, new_waiter: Callable[[], Waiter]) -> None:
        self._new_waiter = new_waiter
        self._lock = threading.Lock()
        self._free = most  # guarded by _lock
        self._line: deque[_Waiting] = deque()  # guarded by _lock

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Return a block that is run inside."""
        mine = _Waiting(self._new_waiter())
        self._enter(mine)
        try:
            while not mine.is_let_in:
                mine.waiter.wait()
            yield
        finally:  # also of one whose task is ended while it waits
            self._leave(mine)

    def _enter(self, mine: _Waiting) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                mine.is_let_in = True
            else:
                self._line.append(mine)

    def _leave(self, mine: _Waiting) -> None:
        following: _Waiting | None = None
        with self._lock:
            if not mine.is_let_in:
                self._line.remove(mine)
            elif self._line:
                following = self._line.popleft()
                following.is_let_in = True
            else:
                self._free += 1
        if following is not None:
            following.waiter.wake()


class Apart:
    """`apart(function, *args)`; thread-safe."""

    def __init__(self, runtime: Runs, at_once: int = AT_ONCE) -> None:
        self._runtime = runtime
        self._gate = Gate(at_once, runtime.new_waiter)

    def __call__(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return and raise what the function does, in a thread of its own, once it is its turn."""
        with self._gate.passed():
            done: R = self._runtime.run_apart(lambda: function(*args, **kwargs))
        return done
