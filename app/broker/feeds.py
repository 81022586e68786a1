"""What other processes follow of this one's runs; nothing goes out for one nobody follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from app.broker.local import LocalBroker
from app.broker.messages import LOST, encoded, lines
from app.broker.outbox import Outbox
from app.core.broker import LiveRun
from app.core.entries import Entry

EXPIRES_S = 4.0  # a follower that has not renewed for so long has gone


class Feed:
    """One process's view of one run. Implements `Follower`: the run's own broker tells it."""

    def __init__(
        self, run_id: str, worker_id: str, run: LiveRun, outbox: Outbox, most_bytes: int
    ) -> None:
        self.run_id = run_id
        self.worker_id = worker_id
        self.run = run
        self.expires_at = 0.0
        self.ends = ExitStack()
        self._outbox = outbox
        self._most_bytes = most_bytes

    @property
    def last_seq(self) -> int:
        return self.run.log.last_seq

    def take(self, entries: Sequence[Entry], last_seq: int) -> None:
        """Send entries; what is too large for a message is left to the store."""
        message = lines(self.run_id, last_seq, entries)
        if len(message) <= self._most_bytes:
            self._outbox.post(self.worker_id, message)
        elif len(entries) > 1:
            half = len(entries) // 2
            self.take(entries[:half], last_seq)
            self.take(entries[half:], last_seq)
        else:
            self._outbox.post(self.worker_id, lines(self.run_id, last_seq, ()))

    def catch_up(self, after: int) -> None:
        """Send what follows that entry, as much as one message has room for; if there is nothing,
        say so."""
        entries, last_seq = self.run.log.since(after), self.last_seq
        while len(message := lines(self.run_id, last_seq, entries)) > self._most_bytes:
            entries = entries[: len(entries) // 2]
        self._outbox.post(self.worker_id, message)

    def lose(self) -> None:
        """Do nothing: the owner never loses its own."""


class Feeds:
    """By run and process; used in the hub, or by one thread at a time."""

    def __init__(
        self,
        local: LocalBroker,
        outbox: Outbox,
        most_bytes: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._most_bytes = most_bytes
        self._monotonic = monotonic
        self._feeds: dict[tuple[str, str], Feed] = {}

    def follow(self, worker_id: str, run_id: str, after: int, run: LiveRun | None) -> None:
        """Let a process follow a run from that entry on, for a few seconds; None: there is none."""
        if run is None:
            self._outbox.post(worker_id, encoded(LOST, run_id))
            return
        feed = self._feeds.get((run_id, worker_id))
        if feed is None:
            feed = Feed(run_id, worker_id, run, self._outbox, self._most_bytes)
            self._feeds[run_id, worker_id] = feed
            feed.ends.callback(self._local.follow(feed))
            feed.ends.enter_context(run.watched())
        feed.expires_at = self._monotonic() + EXPIRES_S
        feed.catch_up(after)

    def leave(self, worker_id: str, run_id: str) -> None:
        """Let a process follow a run no longer."""
        feed = self._feeds.pop((run_id, worker_id), None)
        if feed is not None:
            feed.ends.close()

    def expire(self) -> None:
        """Forget those who have not renewed."""
        now = self._monotonic()
        for run_id, worker_id in [key for key, one in self._feeds.items() if one.expires_at <= now]:
            self.leave(worker_id, run_id)

    def __len__(self) -> int:
        return len(self._feeds)
