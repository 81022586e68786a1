"""Bodies of many megabytes: what is done with them is done beside everybody else's work, for two of
them at once, and all that are held together have a bound."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.runs.ports import Waiter

LARGE_BYTES = 1_000_000  # up to here a body is parsed within a millisecond or two, where it is read
AT_ONCE = 2  # a body takes several times its size while it is parsed
MOST_HELD_BYTES = 256_000_000
R = TypeVar("R")


class Apart(Protocol):
    """What of a runtime they need."""

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


class LargeBodies:
    """Those of one process. Thread-safe."""

    def __init__(self, runtime: Apart, most_held: int = MOST_HELD_BYTES) -> None:
        """`most_held` is in bytes."""
        self._runtime = runtime
        self._gate = Gate(AT_ONCE, runtime.new_waiter)
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

    @contextmanager
    def holding(self) -> Iterator[Hold]:
        """Return a block for one body, which is let go of at its end."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self.give_back(hold.counted)

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
        with self._gate.passed():
            done: R = self._runtime.run_apart(function)
        return done


class Hold:
    """What is held of one body; nothing, as long as it is not large."""

    def __init__(self, bodies: LargeBodies) -> None:
        self._bodies = bodies
        self.size = 0
        self.counted = 0

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
