"""Concurrency, in one place: tasks, waiting, blocking calls and serving, with eventlet and gevent.

The one file that knows eventlet or gevent. Everyone else is handed a runtime (runs/interfaces.py
says what it must do); app/threads.py has one that needs neither library, and cannot serve.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from app.direct_websockets import direct_parts
from app.streaming_hub import WatchedConnection, streaming_hub
from app.tasks import GreenWaiter, Tasks, outcome_of
from app.threads import ThreadRuntime
from app.timed_http import KEEPALIVE_S, log, timed_eventlet_protocol, timed_gevent_handler

KILL_WAIT_S = 1.0  # a killed task closes a socket; one that takes longer is left to itself
MAX_CONNECTIONS = 10_000  # eventlet's own default, 1024, hangs the next connection without a word
MAX_HEADER_BYTES = 65536  # of a line; gevent's figure. eventlet's 8192 refuses long tokens bare


class Server(Protocol):
    """What `serve` is given: the application, and what to do before the process may end."""

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The application."""

    head_timeout_s: float  # for the head of a request, and for a body that nobody reads
    viewer_stall_s: float  # how long a write may find nobody reading

    def started(self) -> None:
        """Called once connections are accepted."""

    def stopping(self) -> None:
        """Called in a task of its own on SIGTERM or SIGINT; the process ends when it returns."""


class EventletRuntime:
    """Green threads of eventlet; run.py has monkey-patched before this is made."""

    name = "eventlet"

    def __init__(self) -> None:
        import eventlet
        from eventlet import hubs, tpool

        self._eventlet = eventlet
        self._hubs = hubs
        self._tpool = tpool
        self._hub, self._streams = _own_hub(hubs)
        self._tasks = Tasks()
        self.task_count = self._tasks.count
        # SQLite has one writer, and SQLAlchemy's pool deadlocks when many tpool threads contend for
        # it.
        tpool.set_num_threads(1)
        self.sleep = eventlet.sleep

    def spawn(self, function: Callable[..., object], *args: Any) -> _EventletTask:
        return _EventletTask(self._eventlet, self._eventlet.spawn(self._tasks.run, function, *args))

    def call_soon(self, function: Callable[[], None]) -> None:
        if self._streams:
            self._hub.soon.append(function)
        else:
            self._hub.schedule_call_global(0, function)

    def reader_of(self, connection: Any) -> WatchedConnection | None:
        if not self._streams:
            return None
        green = self._eventlet.green
        if isinstance(connection, green.ssl.GreenSSLSocket):
            # What it inherits says so when it would have to wait; its own waits.
            read, drains = partial(green.ssl.GreenSSLSocket.__base__.read, connection), False
        elif isinstance(connection, green.socket.socket):
            read, drains = connection.fd.recv, True
        else:
            return None
        current, fileno = self._eventlet.getcurrent, connection.fileno()
        return WatchedConnection(self._hub, current, fileno, read, drains)

    def new_waiter(self) -> GreenWaiter:
        hub = self._hub

        def soon(resume: Callable[[], None]) -> None:
            if self._eventlet.getcurrent() is hub.greenlet:
                resume()  # in the hub already: the cheapest way to go on is to go there
            else:
                hub.schedule_call_global(0, resume)

        return GreenWaiter(self._eventlet.getcurrent, hub.switch, soon)

    def deadline(self, seconds: float) -> Any:
        return self._eventlet.Timeout(seconds, TimeoutError())

    def stop_reading(self, body: Any) -> None:
        body.is_over = True
        with suppress(OSError):
            body.get_socket().shutdown(socket.SHUT_RD)

    def socket_parts(self, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        return direct_parts(parts)

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._tpool.execute(function, *args)

    def serve(self, listener: socket.socket, server: Server) -> None:
        """Serve until SIGTERM or SIGINT."""
        from eventlet import wsgi

        wsgi.MAX_HEADER_LINE = MAX_HEADER_BYTES
        # eventlet's own socket class: it knows how to wait in the hub.
        green = self._eventlet.green.socket.socket(fileno=listener.detach())
        accepting = self._eventlet.spawn(
            wsgi.server,
            green,
            _without_buffering(server.wsgi),
            protocol=timed_eventlet_protocol(
                wsgi.HttpProtocol, self._eventlet.Timeout, server.head_timeout_s
            ),
            log=log,
            log_output=False,
            debug=False,  # True sends tracebacks to clients
            minimum_chunk_size=1,  # else 4096 bytes are held back
            keepalive=KEEPALIVE_S,
            socket_timeout=server.viewer_stall_s,  # a write that nobody reads ends its viewer
            max_size=MAX_CONNECTIONS,
        )
        server.started()
        self._wait_for_signal()
        server.stopping()
        accepting.kill()

    def _wait_for_signal(self) -> None:
        # PEP 475 restarts the hub's poll after a signal, so a handler alone is not run until the
        # next event; a byte in a pipe is one.
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _noted)
        signal.set_wakeup_fd(write_end)
        self._hubs.trampoline(read_end, read=True)


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
                except self._eventlet.greenlet.GreenletExit:
                    pass


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


Runtime = EventletRuntime | GeventRuntime | ThreadRuntime

RUNTIMES: dict[str, type[EventletRuntime] | type[GeventRuntime] | type[ThreadRuntime]] = {
    "eventlet": EventletRuntime,
    "gevent": GeventRuntime,
    "threading": ThreadRuntime,
}


def make_runtime(name: str) -> Runtime:
    """Return the runtime of that name."""
    return RUNTIMES[name]()


def _own_hub(hubs: Any) -> tuple[Any, bool]:
    """Return eventlet's hub, and whether it is ours: not where the system has no epoll, where the
    environment names another, and where one runs already."""
    library = hubs.get_default_hub()
    found = hubs.get_hub()
    is_default = library.__name__ == "eventlet.hubs.epolls" and type(found) is library.Hub
    if is_default and not found.running:
        hubs.use_hub(streaming_hub(library.Hub))
    hub = hubs.get_hub()
    return hub, hasattr(hub, "watched")


def _without_buffering(app: Callable[..., Any]) -> Callable[..., Any]:
    def unbuffered(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # The server's own minimum_chunk_size is not enough: eventlet#236.
        environ["eventlet.minimum_write_chunk_size"] = 1
        return app(environ, start_response)

    return unbuffered


def _noted(number: int, frame: Any) -> None:
    """Take the signal; the wake-up pipe says that it came."""
