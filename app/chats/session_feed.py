"""What happens in a session: runs that start and end, for the tabs that have it open.

A listener is a small queue; one that does not keep up loses its oldest news, which is never the
only place where it stands: the session's record names the active run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.runs.ports import Waiter

Key = tuple[str, str]
KEPT = 100  # news a listener may have waiting


@dataclass(frozen=True, slots=True)
class News:
    """`run_started` or `run_ended`, and its data."""

    name: str
    data: dict[str, Any]


class Listener:
    """One tab; used by one task."""

    def __init__(self, waiter: Waiter, monotonic: Callable[[], float]) -> None:
        self.deadline = 0.0
        self._news: deque[News] = deque(maxlen=KEPT)
        self._waiter = waiter
        self._monotonic = monotonic

    def tell(self, news: News) -> None:
        """Add news and wake the listener."""
        self._news.append(news)
        self._waiter.wake()

    def wake(self) -> None:
        """Let a sleeping `next` look at the time."""
        self._waiter.wake()

    def next(self, heartbeat_s: float) -> News | None:
        """Return the next news, waiting for it; None when a heartbeat is due."""
        self.deadline = self._monotonic() + heartbeat_s
        while not self._news:
            if self._monotonic() >= self.deadline:
                return None
            self._waiter.wait()
        return self._news.popleft()


class SessionFeed:
    """Who listens to which session; thread-safe."""

    def __init__(self, new_waiter: Callable[[], Waiter], monotonic: Callable[[], float]) -> None:
        self._new_waiter = new_waiter
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._listeners: dict[Key, list[Listener]] = {}  # guarded by _lock

    def listen(self, owner: str, session_id: str) -> Listener:
        """Return a listener; `leave` must be called for it."""
        listener = Listener(self._new_waiter(), self._monotonic)
        with self._lock:
            self._listeners.setdefault((owner, session_id), []).append(listener)
        return listener

    def leave(self, owner: str, session_id: str, listener: Listener) -> None:
        """Take the listener out."""
        with self._lock:
            listeners = self._listeners.get((owner, session_id), [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                self._listeners.pop((owner, session_id), None)

    def tell(self, owner: str, session_id: str, news: News) -> None:
        """Tell all who listen to the session."""
        with self._lock:
            listeners = list(self._listeners.get((owner, session_id), ()))
        for listener in listeners:
            listener.tell(news)

    def wake_due(self) -> None:
        """Wake the listeners whose heartbeat is due."""
        now = self._monotonic()
        with self._lock:
            due = [one for some in self._listeners.values() for one in some if one.deadline <= now]
        for listener in due:
            listener.wake()

    def count(self) -> int:
        """Return how many listen."""
        with self._lock:
            return sum(len(some) for some in self._listeners.values())
