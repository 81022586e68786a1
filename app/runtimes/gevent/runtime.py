"""Greenlets of gevent, and its server."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from app.runtimes.gevent.checks import Places, find_tricks, gevent_places
from app.runtimes.gevent.http import Times, request_handler
from app.runtimes.handover import Handover, warn_of_polling
from app.runtimes.runtime import Served
from app.runtimes.server import KILL_WAIT_S, MAX_CONNECTIONS, log
from app.runtimes.tasks import GreenWaiter, Tasks, call_and_log, outcome_of, value_of
from app.runtimes.turns import Allowance, Line, Pipeline, Turns
from app.runtimes.websockets.direct import websocket_classes

MAX_ACCEPTED = 4  # connections, before others get their turn
READABLE = 1  # of its loop's
OTHER_THREADS = 10  # as many as there may be; they are made when they are needed


class GeventRuntime:
    """Implements `Runtime` with gevent, which has patched the standard library before."""

    name = "gevent"

    def __init__(self, store_threads: int = 1, places: Places | None = None) -> None:
        import gevent
        from gevent.threadpool import ThreadPool

        self._gevent = gevent
        self._tasks = Tasks()
        self.task_count = self._tasks.count
        self._store_threads = ThreadPool(store_threads)
        self._other_threads = ThreadPool(OTHER_THREADS)
        self._tricks = find_tricks(places or gevent_places())
        hub = gevent.get_hub()
        next_turn = hub.loop.timer(0).start
        line = Line(gevent.getcurrent, hub.switch, next_turn, time.perf_counter)
        self._turns = Turns(line.give_up, time.perf_counter)
        self.give_up_turn = self._turns.give_up

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._gevent.sleep(seconds)
            return
        # Not its sleep(0): up to a thousand of those come before the next look at the connections.
        hub = self._gevent.get_hub()
        with hub.loop.timer(0) as timer:
            hub.wait(timer)

    def spawn(self, function: Callable[..., object], *args: Any) -> _GeventTask:
        return _GeventTask(self._gevent.spawn(self._tasks.run, function, *args))

    def call_soon(self, function: Callable[[], None]) -> None:
        self._gevent.get_hub().loop.run_callback(function)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        timer = self._gevent.get_hub().loop.timer(seconds)

        def fire() -> None:
            timer.close()
            call_and_log(function)

        timer.start(fire)

    def watch(self, fileno: int, ready: Callable[[], None]) -> _GeventWatch:
        watcher = self._gevent.get_hub().loop.io(fileno, READABLE)
        watcher.start(call_and_log, ready)
        return _GeventWatch(watcher)

    def new_waiter(self) -> GreenWaiter:
        hub = self._gevent.get_hub()
        return GreenWaiter(self._gevent.getcurrent, hub.switch, hub.loop.run_callback)

    def reader_of(self, connection: Any) -> None:
        """Return None: gevent's own sockets stay registered with the kernel."""

    def deadline(self, seconds: float) -> Any:
        return self._gevent.Timeout(seconds, TimeoutError())

    def allowance(self, per_s: float, at_once: float) -> Callable[[int], bool]:
        return Allowance(per_s, at_once).admit

    def stop_reading(self, body: Any) -> None:
        if self._tricks.bodies:
            body._chunked_input_error = True  # what makes the library leave the rest alone

    def engine_classes(self, classes: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._tricks.websockets:
            return classes
        return websocket_classes(classes, give_up_turn=self.give_up_turn)

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        # gevent prints the traceback of whatever is raised in its threads, refusals too.
        return value_of(self._store_threads.apply(outcome_of, (function, args)))

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any:
        return value_of(self._other_threads.apply(outcome_of, (function, args)))

    def serve(self, listener: socket.socket, served: Served) -> None:
        from gevent import pywsgi
        from gevent.event import Event
        from gevent.pool import Pool

        def new_pipeline(connection: Any) -> Pipeline:
            per_s = served.requests_per_s
            return Pipeline(self._turns, self.sleep, Allowance(per_s, per_s), connection._sock)

        gevent = self._gevent
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, stop.set)
        siblings = served.siblings
        can_hand_over = siblings is not None and self._tricks.requests
        wsgi = _server_class(pywsgi.WSGIServer)(
            listener,
            served.wsgi,
            log=None,
            error_log=log,
            spawn=Pool(MAX_CONNECTIONS),
            handler_class=request_handler(
                pywsgi.WSGIHandler,
                getattr(pywsgi, "Input", None),
                gevent.Timeout,
                gevent.GreenletExit,
                Times(served.head_timeout_s, served.viewer_stall_s),
                self._tricks,
                self._turns,
                new_pipeline,
                Handover(siblings, self._unwatch) if siblings and can_hand_over else None,
            ),
        )
        wsgi.max_accept = MAX_ACCEPTED if siblings is None else 1
        wsgi.start()
        if siblings is not None:
            if not can_hand_over:
                warn_of_polling()
            siblings.serve(self._taker(wsgi) if can_hand_over else None, wsgi.accept_no_more)
        served.started()
        stop.wait()
        served.stopping()
        wsgi.stop(timeout=0)

    def _unwatch(self, descriptor: int) -> None:
        """Take a descriptor out of the kernel's list, where libev leaves it: this process would
        go on being told of what another one has open."""
        from gevent.monkey import get_original

        with suppress(OSError, AttributeError):  # AttributeError: a system without epoll
            epoll = get_original("select", "epoll")
            number = os.dup(self._gevent.get_hub().loop.fileno())
            with epoll.fromfd(number) as registered:
                registered.unregister(descriptor)

    def _taker(self, wsgi: Any) -> Callable[[int, bytes], None]:
        """Return what takes a connection that another process hands over."""

        class Taken(self._gevent.socket.socket):  # type: ignore[misc, name-defined]
            received = b""

        def take(descriptor: int, received: bytes) -> None:
            connection = Taken(fileno=descriptor)
            try:
                address = connection.getpeername()
            except OSError:  # it has hung up
                connection.close()
                return
            connection.received = received
            self.give_up_turn()
            wsgi.do_handle(connection, address)

        return take


def _server_class(base: Any) -> Any:
    class Server(base):  # type: ignore[misc]
        accepts = True

        def start_accepting(self) -> None:
            """Accept connections, unless it is to accept no more: the base begins again by itself
            once it has room."""
            if self.accepts:
                super().start_accepting()

        def accept_no_more(self) -> None:
            """Leave all connections that come to others."""
            self.accepts = False
            self.stop_accepting()

    return Server


class _GeventWatch:
    def __init__(self, watcher: Any) -> None:
        self._watcher = watcher

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()


class _GeventTask:
    def __init__(self, greenlet: Any) -> None:
        self._greenlet = greenlet

    def kill(self) -> None:
        self._greenlet.kill(timeout=KILL_WAIT_S)
