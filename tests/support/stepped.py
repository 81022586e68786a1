"""Tasks that run only when told to, and stop where they wait: interleavings a test decides on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from app.core.entries import TEXT
from app.core.runs import ProviderRequest
from app.runs.ports import FINISH, Piece, PieceStream
from tests.support.manual import WAIT_S, ManualRuntime


class Killed(BaseException):
    """What a green runtime throws into a task that is killed."""


class SteppedTask:
    """A thread that has the floor from `resume` until it pauses or ends; no two ever have it."""

    def __init__(self, function: Callable[[], object], mine: threading.local) -> None:
        self.started = self.done = self.killed = False
        self._function = function
        self._mine = mine
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def resume(self) -> None:
        """Let it run until it pauses or ends."""
        if self.done or (self.killed and not self.started):
            return
        if self.started:
            self._go.release()
        else:
            self.started = True
            self._thread.start()
        assert self._back.acquire(timeout=WAIT_S), "a task is stuck"

    def _run(self) -> None:
        self._mine.task = self
        try:
            self._function()
        except Killed:
            pass
        finally:
            self.done = True
            self._back.release()

    def pause(self) -> None:
        """Give up the floor until resumed; called by the task itself."""
        self._back.release()
        assert self._go.acquire(timeout=WAIT_S), "a task was left behind"
        if self.killed:
            raise Killed

    def kill(self) -> None:
        """End it where it waits, its `finally` blocks run."""
        self.killed = True
        if self.started:
            self.resume()


class SteppedRuntime(ManualRuntime):
    """A ManualRuntime whose tasks can wait for their upstream in the middle."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self._mine = threading.local()

    def spawn(self, function: Callable[..., object], *args: Any) -> Any:
        """Queue a task."""
        task = SteppedTask(lambda: function(*args), self._mine)
        self.call_soon(task.resume)
        return task

    def pause(self) -> None:
        """Let the calling task wait."""
        self._mine.task.pause()


class HandProvider:
    """Says what a test hands it, when it does; a hand for each message. One that `lingers` keeps
    its connection after the finish reason."""

    name = "hand"
    default_model = "hand-1"
    parameters: frozenset[str] = frozenset()

    def __init__(self, runtime: SteppedRuntime, lingers: bool = False) -> None:
        self._runtime = runtime
        self._lingers = lingers
        self.hands: dict[str, deque[Sequence[Piece] | Exception]] = {}
        self.asked: list[str] = []

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what is handed in for the last message."""
        message = request.messages[-1].text
        self.asked.append(message)
        request.upstream.opened = True
        try:
            while True:
                batch = self._next(self.hands[message])
                yield batch
                if not self._lingers and any(kind == FINISH for kind, _ in batch):
                    return
        finally:
            request.upstream.closed = True

    def _next(self, hand: deque[Sequence[Piece] | Exception]) -> Sequence[Piece]:
        while not hand:
            self._runtime.pause()
        step = hand.popleft()
        if isinstance(step, Exception):
            raise step
        return step


def text(*pieces: str) -> list[Piece]:
    """Return a batch of text."""
    return [(TEXT, piece) for piece in pieces]
