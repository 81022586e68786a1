"""Work that takes a processor for long, off the hub: so many at a time, in the order they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from app.runs.ports import Lock, Runtime, Waiter

AT_ONCE = 2
P = ParamSpec("P")
R = TypeVar("R")


class Apart:
    """`apart(function, *args)`; thread-safe."""

    def __init__(self, runtime: Runtime, at_once: int = AT_ONCE) -> None:
        self._runtime = runtime
        self._lock = Lock()
        self._free = at_once  # guarded by _lock
        self._waiting: deque[Waiter] = deque()  # guarded by _lock

    def __call__(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return and raise what the function does, in a thread of its own."""
        self._enter()
        try:
            result: R = self._runtime.run_apart(lambda: function(*args, **kwargs))
            return result
        finally:
            self._leave()

    def _enter(self) -> None:
        waiter = self._runtime.new_waiter()
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return
            self._waiting.append(waiter)
        try:
            while self._is_waiting(waiter):
                waiter.wait()
        except BaseException:  # its task is ended
            with self._lock:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                    raise
            self._leave()
            raise

    def _is_waiting(self, waiter: Waiter) -> bool:
        with self._lock:
            return waiter in self._waiting

    def _leave(self) -> None:
        """Hand the place to who has waited longest."""
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            if following is None:
                self._free += 1
        if following is not None:
            following.wake()
