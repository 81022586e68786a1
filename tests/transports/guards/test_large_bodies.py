"""Large bodies: two at a time, in the order of coming, and no more of them than fit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.attachments.apart import AT_ONCE, Gate
from app.runtimes.threads import ThreadRuntime
from app.transports.guards.large_bodies import LARGE_BYTES, LargeBodies
from tests.support.manual import WAIT_S, at_once

LARGE = LARGE_BYTES + 1


class Told:
    """Waiters that say when somebody waits; `ends` is how one whose task is ended finds out."""

    def __init__(self) -> None:
        self.waiting: list[Told.Waiter] = []
        self.changed = threading.Condition()

    class Waiter:
        def __init__(self, told: Told) -> None:
            self.told, self.event, self.ends = told, threading.Event(), False

        def wait(self) -> None:
            with self.told.changed:
                if self not in self.told.waiting:
                    self.told.waiting.append(self)
                    self.told.changed.notify_all()
            assert self.event.wait(WAIT_S)
            self.event.clear()
            if self.ends:
                raise KeyboardInterrupt

        def wake(self) -> None:
            self.event.set()

    def new_waiter(self) -> Told.Waiter:
        return Told.Waiter(self)

    def until(self, count: int) -> None:
        """Return once so many have waited."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.waiting) >= count, WAIT_S)


class Line:
    """Threads that pass a gate one after another, each inside until it is let go."""

    def __init__(self, most: int) -> None:
        self.told = Told()
        self.gate = Gate(most, self.told.new_waiter)
        self.inside: list[int] = []
        self.changed = threading.Condition()
        self.goes = [threading.Event() for _ in range(10)]
        self.threads: list[threading.Thread] = []

    def come(self, number: int) -> None:
        self.threads.append(threading.Thread(target=self._pass, args=(number,)))
        self.threads[-1].start()

    def _pass(self, number: int) -> None:
        try:
            with self.gate.passed():
                with self.changed:
                    self.inside.append(number)
                    self.changed.notify_all()
                assert self.goes[number].wait(WAIT_S)
        except KeyboardInterrupt:
            pass

    def until_inside(self, *numbers: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.inside == [*numbers], WAIT_S), self.inside

    def end(self) -> None:
        for go in self.goes:
            go.set()
        for thread in self.threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()


def test_who_comes_to_a_full_gate_waits_in_order() -> None:
    line = Line(2)
    for number in (0, 1):
        line.come(number)
        line.until_inside(*range(number + 1))
    for number in (2, 3, 4):
        line.come(number)
        line.told.until(number - 1)
    line.goes[1].set()
    line.until_inside(0, 1, 2)
    line.goes[0].set()
    line.until_inside(0, 1, 2, 3)
    line.end()

    assert line.inside == [0, 1, 2, 3, 4]


def test_who_is_ended_while_waiting_leaves_the_line() -> None:
    line = Line(1)
    line.come(0)
    line.until_inside(0)
    for number in (1, 2):
        line.come(number)
        line.told.until(number)
    first = line.told.waiting[0]
    first.ends = True
    first.wake()
    line.threads[1].join(WAIT_S)
    line.goes[0].set()
    line.until_inside(0, 2)
    line.end()


def test_who_is_ended_as_its_turn_comes_passes_it_on() -> None:
    line = Line(1)
    line.come(0)
    line.until_inside(0)
    for number in (1, 2):
        line.come(number)
        line.told.until(number)
    line.told.waiting[0].ends = True  # it finds out when it is let in
    line.goes[0].set()
    line.until_inside(0, 2)
    line.end()


def test_gate_is_free_again_after_what_failed_inside() -> None:
    gate = Gate(1, Told().new_waiter)
    for _ in range(3):
        with pytest.raises(ValueError), gate.passed():
            raise ValueError


# --- What is held ---------------------------------------------------------------------------------


class Counting(ThreadRuntime):
    """Counts what is run apart, and how many were at once."""

    def __init__(self) -> None:
        super().__init__()
        self.apart: list[Callable[..., Any]] = []
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it here, and note that."""
        with self.lock:
            self.apart.append(function)
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            return function(*args)
        finally:
            with self.lock:
                self.inside -= 1


def test_small_body_is_neither_counted_nor_run_apart() -> None:
    runtime = Counting()
    bodies = LargeBodies(runtime, most_held=LARGE)
    with bodies.holding() as hold:
        assert hold.has_room(LARGE_BYTES)
        assert hold.grow_to(LARGE_BYTES)
        assert hold.run(lambda: 7) == 7
        assert (bodies.held, runtime.apart) == (0, [])


def test_large_body_is_counted_until_it_is_let_go_of() -> None:
    runtime = Counting()
    bodies = LargeBodies(runtime)
    with pytest.raises(ValueError), bodies.holding() as hold:
        for size in (5, LARGE, LARGE + 5):  # in chunks
            assert hold.grow_to(size)
        assert bodies.held == LARGE + 5
        assert hold.run(lambda: 7) == 7
        assert len(runtime.apart) == 1
        raise ValueError
    assert bodies.held == 0


def test_body_without_room_is_refused_and_others_are_kept() -> None:
    bodies = LargeBodies(Counting(), most_held=2 * LARGE)
    with bodies.holding() as first, bodies.holding() as second:
        assert first.grow_to(LARGE) and second.grow_to(LARGE)
        with bodies.holding() as third:
            assert third.has_room(LARGE_BYTES) and not third.has_room(LARGE)
            assert not third.grow_to(LARGE)
        assert not first.grow_to(LARGE + 1)
        assert bodies.held == 2 * LARGE
    with bodies.holding() as third:
        assert third.has_room(2 * LARGE)
        assert bodies.held == 0  # what is announced alone takes no room
        assert third.grow_to(2 * LARGE)
        assert bodies.held == 2 * LARGE


def test_two_are_worked_on_at_once() -> None:
    runtime = Counting()
    bodies = LargeBodies(runtime)
    both = threading.Barrier(AT_ONCE)

    def work(index: int) -> None:
        with bodies.holding() as hold:
            hold.grow_to(LARGE)
            hold.run(lambda: both.wait(WAIT_S))  # fails unless so many get there together

    at_once(4 * AT_ONCE, work)
    assert (len(runtime.apart), runtime.most, bodies.held) == (4 * AT_ONCE, AT_ONCE, 0)
