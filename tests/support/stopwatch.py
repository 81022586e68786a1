"""Time for providers that wait: a clock that `sleep` moves, and deadlines that a script runs
into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.clock import HandClock


class Stopwatch:
    """Sleeps pass at once and are kept. `silence` is a step of a script: nothing comes until the
    deadline is over."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.sleeps: list[float] = []
        self.deadlines: list[float] = []
        self._ends_at: float | None = None

    def monotonic(self) -> float:
        """Return the time, in seconds."""
        return self.clock.monotonic

    def sleep(self, seconds: float) -> None:
        """Let that much time pass; break off at a deadline."""
        self.sleeps.append(seconds)
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        """The same, without a sleep."""
        over = self._ends_at is not None and self.monotonic() + seconds >= self._ends_at
        if over and self._ends_at is not None:
            self.clock.advance(self._ends_at - self.monotonic())
            raise TimeoutError
        self.clock.advance(seconds)

    def silence(self, error: BaseException | None = None) -> Callable[[], None]:
        """Return a step that says nothing; `error` is what a library makes of the deadline."""

        def step() -> None:
            assert self._ends_at is not None, "silence without a deadline would be for ever"
            try:
                self.pass_(1e9)
            except TimeoutError:
                if error is not None:
                    raise error from None
                raise

        return step

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """A block that a `sleep` or `silence` in it runs out of."""
        self.deadlines.append(seconds)
        self._ends_at = self.monotonic() + seconds
        try:
            yield
        finally:
            self._ends_at = None
