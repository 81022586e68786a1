"""Greenlets of gevent."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from app.runtimes.gevent.http import timed_gevent_handler
from app.runtimes.request_time import log
from app.runtimes.server import KILL_WAIT_S, MAX_CONNECTIONS, Server
from app.runtimes.tasks import GreenWaiter, Tasks, outcome_of


class GeventRuntime:
    """Greenlets of gevent; run.py has monkey-patched before this is made."""

    name = "gevent"

    def __init__(self) -> None:
        import gevent
        from gevent.threadpool import ThreadPool

        self._gevent = gevent
        self._tasks = Tasks()
        self.task_count = self._tasks.count
        self._store_thread = ThreadPool(1)
        self.sleep = gevent.sleep

    def spawn(self, function: Callable[..., object], *args: Any) -> _GeventTask:
        return _GeventTask(self._gevent.spawn(self._tasks.run, function, *args))

    def call_soon(self, function: Callable[[], None]) -> None:
        self._gevent.get_hub().loop.run_callback(function)

    def new_waiter(self) -> GreenWaiter:
        hub = self._gevent.get_hub()
        return GreenWaiter(self._gevent.getcurrent, hub.switch, hub.loop.run_callback)

    def reader_of(self, connection: Any) -> None:
        """Return nothing: gevent's own sockets keep their place with the kernel."""

    def deadline(self, seconds: float) -> Any:
        return self._gevent.Timeout(seconds, TimeoutError())

    def stop_reading(self, body: Any) -> None:
        body._chunked_input_error = True  # what makes the library leave the rest alone

    def socket_parts(self, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        return parts

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        # gevent prints the traceback of whatever is raised in its threads; refusals are no news.
        result, error = self._store_thread.apply(outcome_of, (function, args))
        if error is not None:
            raise error
        return result

    def serve(self, listener: socket.socket, server: Server) -> None:
        """Serve until SIGTERM or SIGINT."""
        from gevent.event import Event
        from gevent.pool import Pool
        from gevent.pywsgi import WSGIHandler, WSGIServer

        gevent = self._gevent
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, stop.set)
        wsgi = WSGIServer(
            listener,
            server.wsgi,
            log=None,
            error_log=log,
            spawn=Pool(MAX_CONNECTIONS),
            handler_class=timed_gevent_handler(
                WSGIHandler,
                gevent.Timeout,
                gevent.GreenletExit,
                server.head_timeout_s,
                server.viewer_stall_s,
            ),
        )
        wsgi.start()
        server.started()
        stop.wait()
        server.stopping()
        wsgi.stop(timeout=0)


class _GeventTask:
    def __init__(self, greenlet: Any) -> None:
        self._greenlet = greenlet

    def kill(self) -> None:
        self._greenlet.kill(timeout=KILL_WAIT_S)
