"""What this process follows of others' runs: asked for, renewed, and asked for again at a gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.broker.messages import FOLLOW, LEAVE, encoded, entries_in
from app.broker.outbox import Outbox
from app.core.broker import Follower

ASK_AGAIN_S = 0.25  # at a gap that the last answer has not filled


class Followings:
    """By run; used in the hub, or by one thread at a time."""

    def __init__(
        self, outbox: Outbox, our_id: Callable[[], str], monotonic: Callable[[], float]
    ) -> None:
        self._outbox = outbox
        self._our_id = our_id
        self._monotonic = monotonic
        self._followers: dict[str, Follower] = {}
        self._asked_at: dict[str, float] = {}

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Ask the run's owner for what comes; return what ends that."""
        run_id = follower.run_id
        self._followers[run_id] = follower
        self._ask(follower)

        def leave() -> None:
            if self._followers.get(run_id) is follower:
                del self._followers[run_id]
                self._asked_at.pop(run_id, None)
                self._outbox.post(follower.worker_id, encoded(LEAVE, self._our_id(), run_id))

        return leave

    def renew(self) -> None:
        """Ask for all again, before the owners forget it; each answers where its run is."""
        for follower in list(self._followers.values()):
            self._ask(follower)

    def _ask(self, follower: Follower) -> None:
        run_id = follower.run_id
        self._asked_at[run_id] = self._monotonic()
        message = encoded(FOLLOW, self._our_id(), run_id, follower.last_seq)
        self._outbox.post(follower.worker_id, message)

    def take(self, run_id: str, last_seq: int, first: int, pieces: Sequence[Any]) -> None:
        """Take what an owner has sent."""
        follower = self._followers.get(run_id)
        if follower is None:
            return
        before = follower.last_seq
        follower.take(entries_in(first, pieces), last_seq)
        after = follower.last_seq
        if after >= last_seq:
            return
        late = self._monotonic() - self._asked_at.get(run_id, 0.0) >= ASK_AGAIN_S
        if late or (after > before and first <= before + 1):
            self._ask(follower)

    def lose(self, run_id: str) -> None:
        """Hear that the owner does not have a run."""
        follower = self._followers.get(run_id)
        if follower is not None:
            follower.lose()
