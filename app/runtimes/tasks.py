"""What every runtime is made of: counted tasks, and places for a green task to sleep."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class GreenWaiter:
    """One green task's place to sleep, by a switch to the hub; `soon` schedules a call there."""

    __slots__ = ("_sleeper", "_woken", "_switch_out", "_soon", "_current")

    def __init__(
        self,
        current: Callable[[], Any],
        switch_out: Callable[[], Any],
        soon: Callable[[Callable[[], None]], Any],
    ) -> None:
        self._sleeper: Any = None
        self._woken = False
        self._current = current
        self._switch_out = switch_out
        self._soon = soon

    def wait(self) -> None:
        if self._woken:
            self._woken = False
            return
        self._sleeper = self._current()
        try:
            self._switch_out()
        finally:
            self._sleeper = None

    def wake(self) -> None:
        if self._sleeper is None:
            self._woken = True
        else:
            self._soon(self._resume)

    def _resume(self) -> None:
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is None:
            return
        try:
            sleeper.switch()
        except Exception:
            # The sleeper has ended by it; who wakes many must go on.
            log.exception("a waiting task failed")


class EventWaiter:
    """One green task's place to sleep, on an event of the library's that is sent once."""

    def __init__(self, new_event: Callable[[], Any]) -> None:
        self._new_event = new_event
        self._event: Any = None
        self._woken = False

    def wait(self) -> None:
        if not self._woken:
            self._event = self._new_event()
            try:
                self._event.wait()
            finally:
                self._event = None
        self._woken = False

    def wake(self) -> None:
        if not self._woken and self._event is not None:
            self._event.send()
        self._woken = True


class Tasks:
    """Runs tasks so that a failure is logged, and counts those that are alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive = 0  # guarded by _lock

    def run(self, function: Callable[..., object], *args: Any) -> None:
        self._add(1)
        try:
            function(*args)
        except Exception:
            log.exception("a background task failed")
        finally:
            self._add(-1)

    def _add(self, change: int) -> None:
        with self._lock:
            self._alive += change

    def count(self) -> int:
        with self._lock:
            return self._alive


def call_and_log(function: Callable[[], None]) -> None:
    """Call a function; log what it raises."""
    try:
        function()
    except Exception:
        log.exception("a call in the hub failed")


Outcome = tuple[Any, Exception | None]


def outcome_of(function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    """Return what a function returned, or what it raised."""
    try:
        return function(*args), None
    except Exception as error:
        return None, error


def value_of(outcome: Outcome) -> Any:
    """Return what a function returned; raises what it raised."""
    result, error = outcome
    if error is not None:
        raise error
    return result
