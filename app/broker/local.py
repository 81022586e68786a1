"""The broker of one process, or of several workers in it: everything is a call.

A listener is a small queue; one that does not keep up loses its oldest news, which is never the
only place where it stands: the session's record names the active run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from app.core.broker import Follower, HearNews, Listener, News, Stop, Worker
from app.core.entries import Entry
from app.core.runs import Receipt
from app.runs.ports import Waiter

Key = tuple[str, str | None]  # an owner and a session; None for all of the owner's
KEPT = 100  # news a listener may have waiting


class LocalListener:
    """A queue, and a place to sleep."""

    def __init__(self, waiter: Waiter, monotonic: Callable[[], float]) -> None:
        self.deadline = 0.0
        self._news: deque[News] = deque(maxlen=KEPT)
        self._waiter = waiter
        self._monotonic = monotonic

    def tell(self, news: News) -> None:
        self._news.append(news)
        self._waiter.wake()

    def wake(self) -> None:
        """Let a sleeping `next` look at the time."""
        self._waiter.wake()

    def next(self, heartbeat_s: float) -> News | None:
        self.deadline = self._monotonic() + heartbeat_s
        while not self._news:
            if self._monotonic() >= self.deadline:
                return None
            self._waiter.wait()
        return self._news.popleft()

    def poll(self, heartbeat_s: float) -> News | None:
        self.deadline = self._monotonic() + heartbeat_s
        return self._news.popleft() if self._news else None


class LocalBroker:
    """Who listens, who follows and who obeys, in memory."""

    def __init__(self, new_waiter: Callable[[], Waiter], monotonic: Callable[[], float]) -> None:
        self._new_waiter = new_waiter
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._listeners: dict[Key, list[LocalListener]] = {}  # guarded by _lock
        self._followers: dict[str, list[Follower]] = {}  # guarded by _lock
        self._workers: list[Worker] = []

    def publish_entries(self, run_id: str, entries: Sequence[Entry]) -> None:
        for follower in self._followers.get(run_id, ()):
            follower.take(entries, entries[-1].seq if entries else 0)

    def follow(self, follower: Follower) -> Callable[[], None]:
        run_id = follower.run_id
        with self._lock:
            self._followers[run_id] = [*self._followers.get(run_id, ()), follower]

        def leave() -> None:
            with self._lock:
                left = [one for one in self._followers.pop(run_id, ()) if one is not follower]
                if left:
                    self._followers[run_id] = left

        return leave

    def publish_news(self, owner: str, session_id: str | None, news: News) -> None:
        with self._lock:
            keys: Iterable[Key] = ((owner, session_id), (owner, None))
            if session_id is None:
                keys = [key for key in self._listeners if key[0] == owner]
            listeners = [one for key in keys for one in self._listeners.get(key, ())]
        for listener in listeners:
            listener.tell(news)

    def listen(
        self, owner: str, session_id: str | None, waiter: Waiter | None = None
    ) -> LocalListener:
        listener = LocalListener(waiter or self._new_waiter(), self._monotonic)
        with self._lock:
            self._listeners.setdefault((owner, session_id), []).append(listener)
        return listener

    def leave(self, owner: str, session_id: str | None, listener: Listener) -> None:
        with self._lock:
            listeners = self._listeners.pop((owner, session_id), [])
            left = [one for one in listeners if one is not listener]
            if left:
                self._listeners[(owner, session_id)] = left

    def tick(self) -> None:
        now = self._monotonic()
        with self._lock:
            due = [one for some in self._listeners.values() for one in some if one.deadline <= now]
        for listener in due:
            listener.wake()

    def hear(self, take: HearNews) -> None:
        """Tell of nothing: no news come from elsewhere."""

    def be(self, worker_id: str) -> None:
        """Be that worker from now on, to others: there are none."""

    def close(self) -> None:
        """Hear and say nothing more."""

    def serve(self, worker: Worker) -> None:
        self._workers.append(worker)

    def command(self, worker_id: str, command: Stop) -> Receipt | None:
        for worker in self._workers:
            if worker.id == worker_id:
                return worker.obey(command)
        return None

    def count_listeners(self) -> int:
        """Return how many listen."""
        with self._lock:
            return sum(len(some) for some in self._listeners.values())
