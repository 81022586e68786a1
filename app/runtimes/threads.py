"""A runtime of plain threads: for `open_chat` and for tests; it cannot serve."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from app.runtimes.runtime import Served
from app.runtimes.tasks import Tasks, call_and_log
from app.runtimes.turns import Allowance


class ThreadRuntime:
    """Implements `Runtime` with plain threads.

    A thread cannot be killed: a stopped run ends at once, its provider at its next piece.
    """

    name = "threading"

    def __init__(self) -> None:
        self._tasks = Tasks()
        self.task_count = self._tasks.count

    def spawn(self, function: Callable[..., object], *args: Any) -> _ThreadTask:
        thread = threading.Thread(target=self._tasks.run, args=(function, *args), daemon=True)
        thread.start()
        return _ThreadTask()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def call_soon(self, function: Callable[[], None]) -> None:
        function()

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, call_and_log, (function,))
        timer.daemon = True
        timer.start()

    def watch(self, fileno: int, ready: Callable[[], None]) -> None:
        """Return None: there is no hub."""

    def new_waiter(self) -> _ThreadWaiter:
        return _ThreadWaiter()

    def reader_of(self, connection: Any) -> None:
        """Return None: a thread's own recv is the cheapest."""

    def deadline(self, seconds: float) -> Any:
        return nullcontext()

    def give_up_turn(self) -> None:
        """Do nothing: threads have their turns by themselves."""

    def allowance(self, per_s: float, at_once: float) -> Callable[[int], bool]:
        return Allowance(per_s, at_once).admit

    def stop_reading(self, body: Any) -> None:
        """Do nothing: there is no connection."""

    def engine_classes(self, classes: Mapping[str, Any]) -> Mapping[str, Any]:
        return classes

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def serve(self, listener: socket.socket, served: Served) -> None:
        raise RuntimeError("ASYNC_MODE=threading cannot serve; use eventlet or gevent")


class _ThreadTask:
    def kill(self) -> None:
        """Do nothing: a thread cannot be ended from outside; its run refuses what it still
        brings."""


class _ThreadWaiter:
    def __init__(self) -> None:
        self._event = threading.Event()

    def wait(self) -> None:
        # The ticker wakes sleepers whose time has come; without one (open_chat) look now and then.
        self._event.wait(1.0)
        self._event.clear()

    def wake(self) -> None:
        self._event.set()
