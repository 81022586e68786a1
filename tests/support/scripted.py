"""A provider that says what a test has written for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from app.core.entries import TEXT
from app.core.runs import ProviderRequest
from app.runs.ports import FINISH, Piece, PieceStream

STOP: Piece = (FINISH, "stop")
WAIT_S = 30.0  # how long a script waits for its Event before it counts as stuck

# a text, a piece, a batch of pieces, an exception to raise, an Event to wait for, something to call
Step = str | Piece | Sequence[Piece] | BaseException | threading.Event | Callable[[], Any]


class ScriptedProvider:
    """Plays the next enqueued script at each request; with none left it says `Hello there`."""

    name = "scripted"
    default_model = "scripted-1"
    parameters: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.requests: list[ProviderRequest] = []
        self.closed = 0
        self._scripts: deque[tuple[Step, ...]] = deque()

    def enqueue(self, *steps: Step) -> None:
        """Write the script of one more reply."""
        self._scripts.append(steps)

    def forget(self) -> None:
        """Forget what was asked, and what is left to be said."""
        self.requests.clear()
        self._scripts.clear()

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what the script says."""
        self.requests.append(request)
        steps = self._scripts.popleft() if self._scripts else ("Hello", " there", STOP)
        return self._play(request, steps)

    def _play(self, request: ProviderRequest, steps: Sequence[Step]) -> PieceStream:
        request.upstream.opened = True
        try:
            for step in steps:
                batch = _perform(step)
                if batch:
                    yield batch
        finally:
            request.upstream.closed = True
            self.closed += 1


def _perform(step: Step) -> Sequence[Piece]:
    if isinstance(step, BaseException):
        raise step
    if isinstance(step, threading.Event):
        assert step.wait(WAIT_S), "the script waited for an Event that never came"
        return ()
    if isinstance(step, str):
        return [(TEXT, step)]
    if isinstance(step, tuple):
        return [step]
    if callable(step):
        step()
        return ()
    return step
