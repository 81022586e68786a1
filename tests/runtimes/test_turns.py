"""Turns, slices and allowances, with a clock that only the tests move."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import greenlet
import pytest

from app.runtimes.server import PIECE_BYTES
from app.runtimes.turns import SLICE_S, Allowance, Line, Pipeline, Turns


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Hub:
    """Turns that a test takes: what was put off to the next, then who else works."""

    def __init__(self, clock: Clock) -> None:
        self._main = greenlet.getcurrent()
        self._next: list[Callable[[], None]] = []
        self.line = Line(greenlet.getcurrent, self._main.switch, self._next.append, clock)

    def turn(self) -> None:
        calls, self._next[:] = list(self._next), []
        for call in calls:
            call()


@pytest.fixture
def hub(clock: Clock) -> Hub:
    return Hub(clock)


def readers(hub: Hub, done: list[str], names: str, work: Callable[[], None]) -> list[Any]:
    """Start tasks that note their name, work, and give up their turn, for ever."""

    def read(name: str) -> None:
        while True:
            hub.line.give_up()
            done.append(name)
            work()

    tasks = [greenlet.greenlet(lambda name=name: read(name)) for name in names]
    for task in tasks:
        task.switch()
    return tasks


# --- Line ---------------------------------------------------------------------------


def test_short_works_are_one_of_each_reader_a_turn(hub, clock):
    done: list[str] = []
    readers(hub, done, "abc", lambda: None)
    hub.turn()
    assert "".join(done) == "abc"
    hub.turn()
    assert "".join(done) == "abcabc"


@pytest.mark.parametrize("units,a_turn", [(1, 10), (3, 4), (10, 1), (500, 1)])
def test_long_works_share_a_slice_and_keep_their_order(hub, clock, units, a_turn):
    done: list[str] = []
    readers(hub, done, "abcdefghij", lambda: clock.sleep(units * SLICE_S / 10 + 1e-9))
    for turn in range(1, 31):
        hub.turn()
        assert len(done) == turn * a_turn  # each turn, however long the works are, has some
    assert "".join(done) == ("abcdefghij" * 30)[: len(done)]


def test_who_is_killed_while_it_waits_is_in_the_line_no_longer(hub):
    done: list[str] = []
    tasks = readers(hub, done, "abc", lambda: None)
    tasks[1].throw(greenlet.GreenletExit)
    hub.turn()
    assert "".join(done) == "ac" and tasks[1].dead


def test_a_deadline_goes_through_and_its_task_may_wait_again(hub):
    done: list[str] = []

    def read() -> None:
        try:
            hub.line.give_up()
        except TimeoutError:
            done.append("late")
        hub.line.give_up()
        done.append("on")

    task = greenlet.greenlet(read)
    task.switch()
    task.throw(TimeoutError())
    hub.turn()
    assert done == ["late", "on"]


def test_a_reader_that_fails_does_not_hold_up_the_line(hub, caplog):
    done: list[str] = []

    def fail() -> None:
        hub.line.give_up()
        raise ValueError("broken")

    greenlet.greenlet(fail).switch()
    readers(hub, done, "a", lambda: None)
    with caplog.at_level(logging.ERROR):
        hub.turn()
    assert done == ["a"] and "broken" in caplog.text


# --- Turns --------------------------------------------------------------------------


class Counted(Turns):
    """Turns that are given up, counted."""

    def __init__(self, clock: Clock) -> None:
        self.given_up = 0
        super().__init__(self._count, clock)

    def _count(self) -> None:
        self.given_up += 1


@pytest.fixture
def turns(clock: Clock) -> Counted:
    return Counted(clock)


def test_a_slice_is_given_up_when_it_is_over_and_begins_anew(turns, clock):
    check = turns.new_slice()
    for _ in range(99):
        check()
        clock.sleep(SLICE_S / 10)
    assert turns.given_up == 9


@pytest.mark.parametrize("size", [0, 1, 1000, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES])
@pytest.mark.parametrize("asked", [None, -1, 0, 1, 999, PIECE_BYTES, 10**7])
def test_a_body_in_slices_is_the_same(turns, size, asked):
    body = bytes(range(256)) * (size // 256 + 1)
    left = bytearray(body[:size])
    sizes = []

    def read(count: int | None) -> bytes:
        sizes.append(count)
        part = bytes(left[:count])
        del left[:count]
        return part

    got = turns.sliced(read)(asked)
    wanted = size if asked is None or asked < 0 else min(size, asked)
    assert got == body[:wanted] and len(left) == size - wanted
    assert all(0 < count <= PIECE_BYTES for count in sizes)
    assert (turns.given_up > 0) == (len(got) > PIECE_BYTES)  # what comes now is work


def test_a_slow_body_is_read_in_slices(turns, clock):
    def read(count: int | None) -> bytes:
        clock.sleep(SLICE_S / 2)
        return b"x" * 10

    turns.sliced(read)(1000)
    assert turns.given_up == 50


# --- Allowance ----------------------------------------------------------------------


def test_so_many_at_once_then_so_many_a_second(clock):
    allowance = Allowance(10, 30, clock)
    assert [allowance.admit() for _ in range(31)] == [True] * 30 + [False]
    assert allowance.wait_s() == pytest.approx(0.1)
    clock.sleep(0.05)
    assert not allowance.admit() and allowance.wait_s() == pytest.approx(0.05)
    clock.sleep(0.051)
    assert allowance.admit() and not allowance.admit()
    clock.sleep(1000)
    assert [allowance.admit() for _ in range(31)] == [True] * 30 + [False]


def test_many_are_admitted_together_or_not_at_all(clock):
    allowance = Allowance(10, 30, clock)
    assert not allowance.admit(31)
    assert allowance.admit(30)


# --- Pipeline -----------------------------------------------------------------------


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("behind,sent,counted", [(0, b"", 0), (9, b"", 1), (0, b"GET", 1)])
def test_what_had_come_before_the_answer_counts(turns, clock, pair, behind, sent, counted):
    ours, theirs = pair
    theirs.sendall(sent)
    allowance = Allowance(10, 5, clock)
    pipeline = Pipeline(turns, clock.sleep, allowance, ours)
    pipeline.wait_for_turn()
    assert turns.given_up == 0  # nothing was answered yet
    pipeline.took(behind)
    pipeline.wait_for_turn()
    assert turns.given_up == counted  # where nothing has come the read will wait, as others work
    assert allowance.admit(5 - counted) and not allowance.admit()


def test_a_flood_is_read_as_fast_as_is_allowed(turns, clock):
    pipeline = Pipeline(turns, clock.sleep, Allowance(200, 200, clock), None)
    began = clock.now
    for _ in range(1000):
        pipeline.took(1)
        pipeline.wait_for_turn()
    assert turns.given_up == 1000
    assert clock.now - began == pytest.approx(4.0, abs=0.01)


def test_who_waits_for_each_answer_is_never_held(turns, clock, pair):
    pipeline = Pipeline(turns, clock.sleep, Allowance(1, 1, clock), pair[0])
    began = clock.now
    for _ in range(1000):
        pipeline.took(0)
        pipeline.wait_for_turn()
    assert clock.now == began
