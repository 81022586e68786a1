"""The broker of several processes: what happens in this one is told as ever, and to those others
that follow it over a bus.

A run is followed by asking its owner, each second anew; the owner sends what comes, and says each
second where the run is. So who hears nothing for longer, or finds a gap that is not filled, knows
to read the store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from app.broker.bus import Bus
from app.broker.commands import Commands
from app.broker.feeds import Feeds
from app.broker.followings import Followings
from app.broker.local import LocalBroker
from app.broker.messages import (
    ANSWER,
    ASK,
    FOLLOW,
    LEAVE,
    LINES,
    LOST,
    NEWS,
    encoded,
    news_parts,
)
from app.broker.outbox import SEPARATOR, Outbox
from app.core.broker import Follower, HearNews, LiveRun, News, Stop, Worker
from app.core.runs import Receipt
from app.runs.ports import Runtime

log = logging.getLogger(__name__)
RENEW_S = 1.0  # between two times that a process says what it follows


class SharedBroker(LocalBroker):
    """One for a process."""

    def __init__(self, bus: Bus, runtime: Runtime, monotonic: Callable[[], float]) -> None:
        super().__init__(runtime.new_waiter, monotonic)
        self._bus = bus
        self._outbox = outbox = Outbox(bus, runtime.call_soon)
        self._feeds = Feeds(self, outbox, bus.most_bytes, monotonic)
        self._followings = Followings(outbox, self._our_id, monotonic)
        self._commands = Commands(
            outbox, self._our_id, runtime.new_waiter, runtime.spawn, monotonic
        )
        self._renew_at = 0.0
        self._hear: list[HearNews] = []
        self._takers: dict[str, Callable[..., None]] = {
            LINES: self._followings.take,
            LOST: self._followings.lose,
            FOLLOW: self._let_follow,
            LEAVE: self._feeds.leave,
            NEWS: self._take_news,
            ASK: self._take_command,
            ANSWER: self._commands.take_answer,
        }

    def _our_id(self) -> str:
        return self._workers[0].id

    def serve(self, worker: Worker) -> None:
        super().serve(worker)
        self._bus.open(self.take)

    def be(self, worker_id: str) -> None:
        """Be that worker from now on, to others."""
        self._bus.be(worker_id)

    def follow(self, follower: Follower) -> Callable[[], None]:
        leave_here = super().follow(follower)
        if not follower.worker_id:
            return leave_here
        leave_there = self._followings.follow(follower)

        def leave() -> None:
            leave_here()
            leave_there()

        return leave

    def publish_news(self, owner: str, session_id: str | None, news: News) -> None:
        super().publish_news(owner, session_id, news)
        self._outbox.post(None, encoded(NEWS, owner, session_id, *news_parts(news)))

    def hear(self, take: HearNews) -> None:
        self._hear.append(take)

    def command(self, worker_id: str, command: Stop) -> Receipt | None:
        if not worker_id or worker_id == self._our_id():
            return super().command(worker_id, command)
        return self._commands.ask(worker_id, command)

    def tick(self) -> None:
        super().tick()
        self._commands.wake_due()
        if self._monotonic() >= self._renew_at:
            self._renew_at = self._monotonic() + RENEW_S
            self._followings.renew()
            self._feeds.expire()

    def close(self) -> None:
        """Hear and say nothing more."""
        self._bus.close()

    def take(self, joined: bytes) -> None:
        """Take what a process has sent in a turn; what is no message is passed over."""
        for message in joined.split(SEPARATOR):
            try:
                kind, *parts = orjson.loads(message)
                self._takers[kind](*parts)
            except Exception:
                # Of another version, or cut short: the store has what it was about.
                log.warning("a message of another process cannot be read", exc_info=True)

    def _live(self, run_id: str) -> LiveRun | None:
        return self._workers[0].find(run_id)

    def _let_follow(self, who: str, run_id: str, after: int) -> None:
        self._feeds.follow(who, run_id, after, self._live(run_id))

    def _take_news(self, owner: str, session_id: str | None, name: str, data: Any) -> None:
        news = News(name, data)
        super().publish_news(owner, session_id, news)
        for take in self._hear:
            take(owner, session_id, news)

    def _take_command(self, who: str, question: str, parts: Sequence[str]) -> None:
        self._commands.take_command(who, question, list(parts), self._workers[0].obey)
