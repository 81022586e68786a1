"""Each of the tricks with eventlet, beside a library that lacks what it stands on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from engineio.async_drivers.eventlet import _async as CLASSES

from app.runtimes.eventlet.checks import Places, eventlet_places, find_tricks
from app.runtimes.eventlet.runtime import EventletRuntime


def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a thread of its own, which has a hub of its own; return what it does."""
    results: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=lambda: results.put(function(*args))).start()
    return results.get(timeout=20)


@pytest.fixture
def places() -> Places:
    """What this process has."""
    return in_thread(eventlet_places)


def less(owner: Any, name: str) -> Any:
    """Return something with all attributes of `owner`, but without that one."""

    class Less:
        def __getattr__(self, wanted: str) -> Any:
            if wanted == name:
                raise AttributeError(wanted)
            return getattr(owner, wanted)

    return Less()


def refused(places: Places) -> set[str]:
    tricks = find_tricks(places)
    return {name for name in tricks.__slots__ if not getattr(tricks, name)}


def test_every_trick_can_be_used_with_the_pinned_versions(places, caplog):
    assert refused(places) == set()
    ours = in_thread(lambda: EventletRuntime().engine_classes(CLASSES))
    assert {name for name in CLASSES if ours[name] is not CLASSES[name]} == {"queue", "websocket"}
    assert caplog.records == []


@pytest.mark.parametrize("name", ["switch", "schedule_call_global", "greenlet"])
def test_a_hub_that_switches_otherwise_is_slept_on_by_events(places, name):
    hub = less(places.hub, name)
    assert refused(replace(places, hub=hub, epoll_hub=type(hub))) == {"switching", "hub"}


@pytest.mark.parametrize(
    "name",
    ["wait", "do_poll", "fire_timers", "sleep_until", "mark_as_reopened", "listeners", "poll"],
)
def test_a_hub_of_another_shape_is_left_alone(places, name):
    hub = less(places.hub, name)
    assert refused(replace(places, hub=hub, epoll_hub=type(hub))) == {"hub"}


def test_a_hub_whose_wait_takes_other_arguments_is_left_alone(places):
    hub_class = type("Hub", (type(places.hub),), {"wait": lambda self: None})
    hub = in_thread(hub_class)
    assert refused(replace(places, hub=hub, epoll_hub=hub_class)) == {"hub"}


def test_a_hub_that_runs_is_left_alone(places):
    class Running(type(places.hub)):
        running = property(lambda self: True, lambda self, value: None)

    hub = in_thread(Running)
    assert refused(replace(places, hub=hub, epoll_hub=Running)) == {"hub"}


def test_a_hub_that_was_asked_for_is_left_alone_without_a_word(places, caplog):
    assert refused(replace(places, hub=less(places.hub, "no such"))) == {"hub"}
    assert caplog.records == []


class Waiting:
    """A socket around another that would wait."""

    def __init__(self) -> None:
        self.fd = SimpleNamespace(recv=min, send=min, gettimeout=lambda: None)

    def close(self) -> None:
        pass


class Bare:
    """A socket around nothing."""

    def close(self) -> None:
        pass


@pytest.mark.parametrize("socket", [Bare, Waiting])
def test_sockets_that_wrap_nothing_we_know_are_used_as_they_are(places, socket):
    assert "sockets" in refused(replace(places, socket=socket))


@pytest.mark.parametrize("tls_socket", [None, object, Bare])
def test_tls_sockets_that_inherit_from_something_else_read_by_themselves(places, tls_socket):
    assert refused(replace(places, tls_socket=tls_socket)) == {"tls_sockets"}


@pytest.mark.parametrize("name", ["setup", "_read_request_line", "parse_request", "get_environ"])
def test_a_request_handler_of_another_shape_keeps_its_own_times(places, name):
    wsgi = SimpleNamespace(**vars(places.wsgi))
    wsgi.HttpProtocol = less(places.wsgi.HttpProtocol, name)
    assert refused(replace(places, wsgi=wsgi)) == {"requests"}


@pytest.mark.parametrize(
    "changes,expected",
    [
        ({"server": lambda sock, site, log: None}, {"handlers"}),
        ({"HttpProtocol": None}, {"handlers", "requests"}),
        ({"Input": None}, {"requests", "bodies"}),
    ],
)
def test_a_server_of_another_shape_keeps_its_own(places, changes, expected):
    wsgi = SimpleNamespace(**{**vars(places.wsgi), **changes})
    assert refused(replace(places, wsgi=wsgi)) == expected


def test_a_server_without_that_limit_has_its_own(places):
    wsgi = less(places.wsgi, "MAX_HEADER_LINE")
    assert refused(replace(places, wsgi=wsgi)) == {"header_lines"}


def test_engine_io_keeps_its_classes_where_ours_would_not_fit(places):
    def classes() -> Any:
        runtime = EventletRuntime(places=replace(eventlet_places(), socket=Bare))
        return runtime.engine_classes(CLASSES)

    assert in_thread(classes) is CLASSES


def without_tricks() -> EventletRuntime:
    wsgi = SimpleNamespace(server=lambda: None)
    return EventletRuntime(places=Places(object(), None, object, object, wsgi))


def test_tasks_sleep_and_wake_without_tricks():
    def body() -> list[str]:
        runtime, said = without_tricks(), []
        waiter = runtime.new_waiter()
        waiter.wake()
        waiter.wait()  # returns at once

        def sleeper() -> None:
            for turn in range(3):
                waiter.wait()
                said.append(f"woken {turn}")

        runtime.spawn(sleeper)
        for _ in range(3):
            runtime.sleep(0)
            said.append("wake")
            waiter.wake()
            waiter.wake()
        runtime.sleep(0)
        runtime.sleep(0)
        return said

    assert in_thread(body) == [line for turn in range(3) for line in ("wake", f"woken {turn}")]


def test_a_sleeper_that_is_killed_leaves_its_waiter_usable():
    def body() -> int:
        runtime = without_tricks()
        waiter = runtime.new_waiter()
        task = runtime.spawn(waiter.wait)
        runtime.sleep(0)
        task.kill()
        waiter.wake()
        waiter.wait()
        return runtime.task_count()

    assert in_thread(body) == 0


def test_calls_come_soon_and_in_order_without_tricks():
    def body() -> tuple[list[int], list[int]]:
        runtime, called = without_tricks(), []
        runtime.call_soon(lambda: called.append(1))
        runtime.call_soon(lambda: called.append(1 // 0))
        runtime.call_soon(lambda: called.append(3))
        before = list(called)
        runtime.sleep(0)
        return before, called

    assert in_thread(body) == ([], [1, 3])
