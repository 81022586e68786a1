"""Bodies of many megabytes: what is done with them is done beside everybody else's work, for two of
them at once, and all that are held together have a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from app.attachments.apart import Apart, Runs

LARGE_BYTES = 1_000_000  # up to here a body is parsed within a millisecond or two, where it is read
MOST_HELD_BYTES = 256_000_000
R = TypeVar("R")


class LargeBodies:
    """Those of one process. Thread-safe."""

    def __init__(self, runtime: Runs, most_held: int = MOST_HELD_BYTES) -> None:
        """`most_held` is in bytes."""
        # A body takes several times its size while it is parsed.
        self._apart = Apart(runtime)
        self._most_held = most_held
        self._lock = threading.Lock()
        self._held = 0  # bytes, guarded by _lock

    @property
    def held(self) -> int:
        """How many bytes of large bodies there are."""
        return self._held

    def have_room(self, size: int) -> bool:
        """Whether so many more bytes would fit now."""
        return self._held + size <= self._most_held

    def holding(self) -> Hold:
        """Return a block for one body, which is let go of at its end."""
        return Hold(self)

    def take(self, size: int) -> bool:
        """Count so many more bytes as held; whether they fit. If not, none counts."""
        with self._lock:
            if not self.have_room(size):
                return False
            self._held += size
        return True

    def give_back(self, size: int) -> None:
        """Count them no longer."""
        with self._lock:
            self._held -= size

    def run_apart(self, function: Callable[[], R]) -> R:
        """Call it beside everybody else's work, as soon as it is its turn."""
        return self._apart(function)


class Hold:
    """What is held of one body; nothing, as long as it is not large."""

    def __init__(self, bodies: LargeBodies) -> None:
        self._bodies = bodies
        self.size = 0
        self.counted = 0

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *why: object) -> None:
        if self.counted:
            self._bodies.give_back(self.counted)

    def has_room(self, size: int) -> bool:
        """Whether a body of that size would fit now: else it need not be sent. Nothing is kept for
        it, so that who only announces much takes nobody's room."""
        return size <= LARGE_BYTES or self._bodies.have_room(size)

    def grow_to(self, size: int) -> bool:
        """Note how much of the body has come; whether it fits."""
        self.size = size
        if size <= max(LARGE_BYTES, self.counted):
            return True
        fits = self._bodies.take(size - self.counted)
        if fits:
            self.counted = size
        return fits

    def run(self, function: Callable[[], R]) -> R:
        """Call a function whose work is as long as the body: a large one's is done apart."""
        return self._bodies.run_apart(function) if self.size > LARGE_BYTES else function()
