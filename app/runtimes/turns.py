"""Turns: a connection that always has something to read must not keep the others waiting.

A read that finds something does not wait, so its task is never left for another. Whoever reads what
a client sends gives up its turn by itself: after each request or packet, and within one of many
small parts when its slice is over. How often a connection is read at all is an `Allowance`.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.runtimes.server import PIECE_BYTES

log = logging.getLogger(__name__)
ROUNDING = 1e-6  # who has waited for one more has one, however the sum is rounded
SLICE_S = 0.002  # how long readers may work, all together, before others get their turn

Read = Callable[[int | None], bytes]


class Line:
    """Where the readers of a process wait for their turn: in each turn of the hub they go on one
    after another, for SLICE_S together or one of them for longer; then everybody else works."""

    def __init__(
        self,
        current: Callable[[], Any],
        switch_out: Callable[[], Any],
        next_turn: Callable[[Callable[[], None]], object],
        clock: Callable[[], float],
    ) -> None:
        """`current` returns the green task that calls it, `switch_out` goes to the hub, and
        `next_turn` has a function called there once connections have been looked at again."""
        self._current = current
        self._switch_out = switch_out
        self._next_turn = next_turn
        self._clock = clock
        self._waiting: deque[Any] = deque()
        self._is_due = False

    def give_up(self) -> None:
        """Let others work; return when it is this task's turn again."""
        task = self._current()
        self._waiting.append(task)
        self._schedule()
        try:
            self._switch_out()
        except BaseException:  # a deadline, or it is killed
            with suppress(ValueError):
                self._waiting.remove(task)
            raise

    def _schedule(self) -> None:
        if self._waiting and not self._is_due:
            self._is_due = True
            self._next_turn(self._go_on)

    def _go_on(self) -> None:
        """Let readers go on, those first that have waited longest; in the hub."""
        self._is_due = False
        ends = self._clock() + SLICE_S
        for _ in range(len(self._waiting)):
            if not self._waiting:
                break
            try:
                self._waiting.popleft().switch()
            except Exception:
                log.exception("a task that was reading failed")
            if self._clock() >= ends:
                break
        self._schedule()


class Turns:
    """How readers give up their turn, by themselves or when it is time."""

    def __init__(self, give_up: Callable[[], None], clock: Callable[[], float]) -> None:
        """`give_up` lets others work, and returns when that is done."""
        self.give_up = give_up
        self._clock = clock

    def new_slice(self) -> Callable[[], None]:
        """Return what one reader calls after each small part: it gives up the turn once SLICE_S is
        over."""
        began = self._clock()

        def check() -> None:
            nonlocal began
            if self._clock() - began >= SLICE_S:
                self.give_up()
                began = self._clock()

        return check

    def sliced(self, read: Read) -> Read:
        """Return the same read of a body, in slices. What a long one is read for, to be parsed, is
        work too, and has a turn of its own."""
        check, total = self.new_slice(), 0

        def read_in_slices(size: int | None = None) -> bytes:
            nonlocal total
            left = -1 if size is None else size
            parts: list[bytes] = []
            while left:
                part = read(PIECE_BYTES if left < 0 else min(left, PIECE_BYTES))
                check()
                if not part:
                    break
                parts.append(part)
                total += len(part)
                left -= len(part) if left > 0 else 0
            if total > PIECE_BYTES:
                self.give_up()
            return parts[0] if len(parts) == 1 else b"".join(parts)

        return read_in_slices


class Allowance:
    """How often something may be done: so many times a second, and at most so many at once."""

    def __init__(
        self, per_s: float, at_once: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._clock = clock
        self._left = at_once
        self._since = clock()

    def admit(self, count: int = 1) -> bool:
        """Count so many more; whether all of them are within the allowance. If not, none counts."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._since) * self._per_s)
        self._since = now
        if self._left < count - ROUNDING:
            return False
        self._left -= count
        return True

    def wait_s(self) -> float:
        """Return how long it takes until one more is within the allowance."""
        since = self._clock() - self._since
        return max(0.0, (1 - self._left) / self._per_s - since)


class Pipeline:
    """The requests of one connection, of which a client may send many before it has an answer.

    What is over the allowance is not read: the connection fills up, and its client waits.
    """

    def __init__(
        self,
        turns: Turns,
        sleep: Callable[[float], None],
        allowance: Allowance,
        connection: socket.socket | None,
    ) -> None:
        """`connection` is the plain socket, None where there is none to look at."""
        self._turns = turns
        self._sleep = sleep
        self._allowance = allowance
        self._connection = connection
        self._behind = -1  # bytes that came with the last request and are behind it; -1: no request

    def took(self, behind: int) -> None:
        """Note that a request was read, and how many bytes had come behind it."""
        self._behind = behind

    def wait_for_turn(self) -> None:
        """Let others work before the next request is read, unless the read will wait anyway."""
        if self._behind < 0:
            return
        has_come = self._behind > 0 or has_more(self._connection)
        if not has_come and self._connection is not None:
            return
        self._turns.give_up()
        while has_come and not self._allowance.admit():
            self._sleep(self._allowance.wait_s())


def has_more(connection: socket.socket | None) -> bool:
    """Whether something of a plain socket's has come and is unread; never waits."""
    if connection is None:
        return False
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False
