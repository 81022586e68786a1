"""Viewers of a run that come back, through any of several processes, until they have its end; and
what such a run says."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tests.support.server import Asked
from tests.support.sse import follow_run
from tests.support.upstream import Exchange

AGAIN_S = 0.1  # between two tries of a viewer whom nobody serves


class Counting:
    """A reply that counts until it is told to finish. Each piece is a number and when it was said,
    so a text is whole if its numbers are, and each viewer knows how late a piece came."""

    def __init__(self, pause_s: float = 0.02) -> None:
        self.finish = threading.Event()
        self._pause_s = pause_s

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        number = 0
        while not self.finish.wait(self._pause_s):
            exchange.delta(f"{number}/{time.monotonic():.3f} ")
            number += 1
        exchange.finish()


def numbers_in(text: str) -> list[int]:
    """Return the numbers that a counting reply has said."""
    return [int(word.partition("/")[0]) for word in text.split()]


class Viewer(threading.Thread):
    """Follows a run through one of these processes at random; where that breaks, through another,
    from where it was. It reads each stream to its end, also behind the run's."""

    def __init__(self, run_id: str, servers: Sequence[Asked], chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.run_id = run_id
        self.ends: list[dict[str, Any]] = []
        self.last_seq = 0
        self.out_of_order: list[dict[str, Any]] = []  # what came twice, or late
        self._servers = servers
        self._chance = chance
        self._came: list[tuple[float, str]] = []
        self._given_up = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.ends and not self._given_up.is_set():
            # AttributeError: what http.client makes of a stream that the test has closed.
            with suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
                self._follow(self._chance.choice(self._servers))
            if not self.ends:
                self._given_up.wait(AGAIN_S)

    def _follow(self, server: Asked) -> None:
        stream = follow_run(server, self.run_id, self.last_seq)
        while (event := stream.next()) is not None:
            if stream.status == 200:
                self._take(event.data)
        stream.close()

    def _take(self, data: dict[str, Any]) -> None:
        if "seq" not in data:
            return  # it says that there is silence
        if data["seq"] <= self.last_seq or self.ends:
            self.out_of_order.append(data)
        self.last_seq = data["seq"]
        if "finish_reason" in data:
            self.ends.append(data)
        else:
            self._came.append((time.monotonic(), data.get("token", "")))

    def give_up(self) -> None:
        """Come back no more."""
        self._given_up.set()

    def wait_for_end(self, timeout_s: float = 60) -> dict[str, Any]:
        """Wait until the stream is over; return the one end that it had."""
        self.join(timeout_s)
        assert not self.is_alive(), f"no end in {timeout_s} s; {self.last_seq} entries came"
        assert self.out_of_order == []
        [end] = self.ends
        return end

    @property
    def text(self) -> str:
        """All that came."""
        return "".join(token for _, token in list(self._came))

    def has_come_since(self, at: float) -> bool:
        """Whether a piece has come since that time which was said since then, too."""
        came, token = self._came[-1] if self._came else (0.0, "")
        return came > at and said_at(token) > at

    def longest_gap_s(self, since: float) -> float:
        """Return the longest time in which nothing came, of what came after that time."""
        times = [since, *(came for came, _ in list(self._came) if came > since)]
        return max((after - before for before, after in zip(times, times[1:])), default=0.0)

    def is_live(self, since: float, pieces: int = 100, most_s: float = 0.8) -> bool:
        """Whether so many pieces have come since that time, the last of which were in time: those
        that are read from the store come up to a second late."""
        late = [came - said_at(token, 0) for came, token in self._since(since)]
        return len(late) >= pieces and max(late[-pieces:]) < most_s

    def live_after_s(self, since: float, most_s: float = 0.8) -> float:
        """Return how long after that time the last piece came late; 0 if none did."""
        late = [came for came, token in self._since(since) if came - said_at(token, 0) >= most_s]
        return max(late, default=since) - since

    def _since(self, at: float) -> list[tuple[float, str]]:
        return [(came, token) for came, token in list(self._came) if came > at]


def said_at(token: str, which: int = -1) -> float:
    """Return when the last piece of a token was said, or another; some tokens are joined pieces."""
    words = token.split()
    return float(words[which].partition("/")[2]) if words else 0.0
