"""Green threads of eventlet, and its server."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import greenlet

from app.runtimes.eventlet.arrivals import Arrivals
from app.runtimes.eventlet.checks import Places, eventlet_places, find_tricks
from app.runtimes.eventlet.http import request_handler
from app.runtimes.eventlet.hub import WatchedConnection, WatchedFile, streaming_hub
from app.runtimes.handover import Handover, warn_of_polling
from app.runtimes.runtime import Served, Waiter
from app.runtimes.server import KEEPALIVE_S, KILL_WAIT_S, MAX_CONNECTIONS, log
from app.runtimes.tasks import (
    EventWaiter,
    GreenWaiter,
    Outcome,
    Tasks,
    call_and_log,
    outcome_of,
    value_of,
)
from app.runtimes.turns import Allowance, Line, Pipeline, Turns
from app.runtimes.websockets.direct import websocket_classes

MAX_HEADER_BYTES = 65536  # of a line; gevent's figure. eventlet's 8192 refuses long tokens bare


class EventletRuntime:
    """Implements `Runtime` with eventlet, which has patched the standard library before."""

    name = "eventlet"

    def __init__(self, store_threads: int = 1, places: Places | None = None) -> None:
        import eventlet
        from eventlet import hubs, patcher, tpool
        from eventlet.green import os as green_os

        self._eventlet = eventlet
        self._tpool = tpool
        self._green_os = green_os
        self._native_socket = patcher.original("socket")
        self._native_thread = patcher.original("_thread")
        self._places = places or eventlet_places()
        self._tricks = find_tricks(self._places)
        if self._tricks.hub:
            hubs.use_hub(streaming_hub(self._places.epoll_hub))
        self._hub = hubs.get_hub()
        self._streams = hasattr(self._hub, "watched")  # also where it was made before
        self._tasks = Tasks()
        self.task_count = self._tasks.count
        tpool.set_num_threads(store_threads)
        self.sleep = eventlet.sleep
        self._turns = Turns(self._new_line(), time.perf_counter)
        self.give_up_turn = self._turns.give_up

    def _new_line(self) -> Callable[[], None]:
        if not self._tricks.switching:
            return partial(self.sleep, 0)
        hub, current = self._hub, self._eventlet.getcurrent
        next_turn = partial(hub.schedule_call_global, 0)
        return Line(current, hub.switch, next_turn, time.perf_counter).give_up

    def spawn(self, function: Callable[..., object], *args: Any) -> _EventletTask:
        return _EventletTask(self._eventlet, self._eventlet.spawn(self._tasks.run, function, *args))

    def call_soon(self, function: Callable[[], None]) -> None:
        if self._streams:
            self._hub.soon.append(function)
        else:
            self._eventlet.spawn_n(call_and_log, function)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        self._hub.schedule_call_global(seconds, call_and_log, function)

    def watch(self, fileno: int, ready: Callable[[], None]) -> WatchedFile | None:
        return WatchedFile(self._hub, fileno, ready) if self._streams else None

    def reader_of(self, connection: Any) -> WatchedConnection | None:
        if not self._streams:
            return None
        green = self._eventlet.green
        if self._tricks.tls_sockets and isinstance(connection, green.ssl.GreenSSLSocket):
            # What it inherits says so when it would have to wait; its own waits.
            read, drains = partial(green.ssl.GreenSSLSocket.__base__.read, connection), False
        elif self._tricks.sockets and isinstance(connection, green.socket.socket):
            read, drains = connection.fd.recv, True
        else:
            return None
        current, fileno = self._eventlet.getcurrent, connection.fileno()
        return WatchedConnection(self._hub, current, fileno, read, drains)

    def new_waiter(self) -> Waiter:
        if not self._tricks.switching:
            return EventWaiter(self._eventlet.Event)
        hub = self._hub

        def soon(resume: Callable[[], None]) -> None:
            if self._eventlet.getcurrent() is hub.greenlet:
                resume()  # in the hub already: the cheapest way to go on is to go there
            else:
                hub.schedule_call_global(0, resume)

        return GreenWaiter(self._eventlet.getcurrent, hub.switch, soon)

    def deadline(self, seconds: float) -> Any:
        return self._eventlet.Timeout(seconds, TimeoutError())

    def allowance(self, per_s: float, at_once: float) -> Callable[[int], bool]:
        return Allowance(per_s, at_once).admit

    def stop_reading(self, body: Any) -> None:
        if self._tricks.bodies:
            body.is_over = True
            with suppress(OSError):
                body.get_socket().shutdown(socket.SHUT_RD)

    def engine_classes(self, classes: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._tricks.websockets:
            return classes
        return websocket_classes(classes, give_up_turn=self.give_up_turn)

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._tpool.execute(function, *args)

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any:
        # Its pool of threads is one, for all that blocks: this needs another.
        ours, theirs = self._native_socket.socketpair()
        outcomes: list[Outcome] = []

        def work() -> None:
            with theirs:  # whose end wakes the task
                outcomes.append(outcome_of(function, args))

        with self._eventlet.green.socket.socket(fileno=ours.detach()) as done:
            self._native_thread.start_new_thread(work, ())
            done.recv(1)
        return value_of(outcomes[0])

    def serve(self, listener: socket.socket, served: Served) -> None:
        from eventlet import wsgi

        if self._tricks.header_lines:
            wsgi.MAX_HEADER_LINE = MAX_HEADER_BYTES
        # eventlet's own socket class: it knows how to wait in the hub.
        green: Any = self._listener_class()(fileno=listener.detach())
        siblings = served.siblings
        if siblings is not None:
            green = Arrivals(self._eventlet, green)
        accepting = self._eventlet.spawn(
            wsgi.server,
            green,
            _without_buffering(served.wsgi),
            log=log,
            log_output=False,
            debug=False,  # True sends tracebacks to clients
            minimum_chunk_size=1,  # else 4096 bytes are held back
            keepalive=KEEPALIVE_S,
            socket_timeout=served.viewer_stall_s,  # a write that nobody reads ends its viewer
            max_size=MAX_CONNECTIONS,
            **self._handler(wsgi, served),
        )
        if siblings is not None:
            if not self._can_hand_over:
                warn_of_polling()
            siblings.serve(green.take if self._can_hand_over else None, green.accept_no_more)
        served.started()
        self._wait_for_signal()
        served.stopping()
        accepting.kill()

    def _listener_class(self) -> Any:
        turns = self._turns

        class Listener(self._eventlet.green.socket.socket):  # type: ignore[misc, name-defined]
            def accept(self) -> Any:
                """Accept a connection, in turn: thousands may come at once."""
                turns.give_up()
                return super().accept()

        return Listener

    def _handler(self, wsgi: Any, served: Served) -> dict[str, type]:
        if not self._tricks.handlers:
            return {}

        def new_pipeline(connection: Any) -> Pipeline:
            plain = connection.fd if self._tricks.sockets else None
            per_s = served.requests_per_s
            return Pipeline(self._turns, self.sleep, Allowance(per_s, per_s), plain)

        handover = None
        if served.siblings is not None and self._can_hand_over:
            handover = Handover(served.siblings, _nothing_is_watched)
        handler = request_handler(
            wsgi,
            self._eventlet.Timeout,
            served.head_timeout_s,
            self._tricks,
            self._turns,
            new_pipeline,
            handover,
        )
        return {"protocol": handler}

    @property
    def _can_hand_over(self) -> bool:
        return self._tricks.handlers and self._tricks.requests

    def _wait_for_signal(self) -> None:
        # PEP 475 restarts the hub's poll after a signal, so a handler alone is not run until the
        # next event; a byte in a pipe is one.
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _noted)
        signal.set_wakeup_fd(write_end)
        self._green_os.read(read_end, 1)


class _EventletTask:
    def __init__(self, eventlet: Any, thread: Any) -> None:
        self._eventlet = eventlet
        self._thread = thread

    def kill(self) -> None:
        self._thread.kill()
        if not self._thread.dead:
            with self._eventlet.Timeout(KILL_WAIT_S, False):
                try:
                    self._thread.wait()
                except greenlet.GreenletExit:
                    pass


def _without_buffering(app: Callable[..., Any]) -> Callable[..., Any]:
    def unbuffered(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # The server's own minimum_chunk_size is not enough: eventlet#236.
        environ["eventlet.minimum_write_chunk_size"] = 1
        return app(environ, start_response)

    return unbuffered


def _nothing_is_watched(descriptor: int) -> None:
    """A task that waits for a connection is registered for it; none does while it hands it over."""


def _noted(number: int, frame: Any) -> None:
    """Take the signal; the wake-up pipe says that it came."""
