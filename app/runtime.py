"""Concurrency, in one place: tasks, waiting, blocking calls and serving, for eventlet, gevent and
threads.

The one file that knows eventlet or gevent. Everyone else is handed a runtime (runs/interfaces.py
says what it must do). `ThreadRuntime` needs neither and cannot serve; it is for `open_chat` and for
tests.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

log = logging.getLogger(__name__)

KILL_WAIT_S = 1.0  # a killed task closes a socket; one that takes longer is left to itself
MAX_CONNECTIONS = 10_000  # eventlet's own default, 1024, hangs the next connection without a word
KEEPALIVE_S = 75  # idle connections; nginx's default, so a proxy in front closes first


class Server(Protocol):
    """What `serve` is given: the application, and what to do before the process may end."""

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The application."""

    def started(self) -> None:
        """Called once connections are accepted."""

    def stopping(self) -> None:
        """Called in a task of its own on SIGTERM or SIGINT; the process ends when it returns."""


class _Waiter:
    """One green task's place to sleep; `_soon` schedules a call in the hub."""

    __slots__ = ("_sleeper", "_woken", "_switch_out", "_soon", "_current")

    def __init__(
        self,
        current: Callable[[], Any],
        switch_out: Callable[[], Any],
        soon: Callable[[Callable[[], None]], Any],
    ) -> None:
        self._sleeper: Any = None
        self._woken = False
        self._current = current
        self._switch_out = switch_out
        self._soon = soon

    def wait(self) -> None:
        if self._woken:
            self._woken = False
            return
        self._sleeper = self._current()
        try:
            self._switch_out()
        finally:
            self._sleeper = None

    def wake(self) -> None:
        if self._sleeper is None:
            self._woken = True
        else:
            self._soon(self._resume)

    def _resume(self) -> None:
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is None:
            return
        try:
            sleeper.switch()
        except Exception:
            # The sleeper died of it; whoever wakes many must not.
            log.exception("a waiting task failed")


class EventletRuntime:
    """Green threads of eventlet; run.py has monkey-patched before this is made."""

    name = "eventlet"

    def __init__(self) -> None:
        import eventlet
        from eventlet import hubs, tpool

        self._eventlet = eventlet
        self._hubs = hubs
        self._tpool = tpool
        # SQLite has one writer, and SQLAlchemy's pool deadlocks when many tpool threads contend for
        # it.
        tpool.set_num_threads(1)
        self.sleep = eventlet.sleep

    def spawn(self, function: Callable[..., object], *args: Any) -> _EventletTask:
        return _EventletTask(self._eventlet, self._eventlet.spawn(_guarded, function, *args))

    def call_soon(self, function: Callable[[], None]) -> None:
        self._hubs.get_hub().schedule_call_global(0, function)

    def new_waiter(self) -> _Waiter:
        hub = self._hubs.get_hub()

        def soon(resume: Callable[[], None]) -> None:
            if self._eventlet.getcurrent() is hub.greenlet:
                resume()  # in the hub already: the cheapest way to go on is to go there
            else:
                hub.schedule_call_global(0, resume)

        return _Waiter(self._eventlet.getcurrent, hub.switch, soon)

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._tpool.execute(function, *args)

    def serve(self, listener: socket.socket, server: Server) -> None:
        """Serve until SIGTERM or SIGINT."""
        from eventlet import wsgi

        # eventlet's own socket class: it knows how to wait in the hub.
        green = self._eventlet.green.socket.socket(fileno=listener.detach())
        accepting = self._eventlet.spawn(
            wsgi.server,
            green,
            _without_buffering(server.wsgi),
            log=logging.getLogger("tandem.wsgi"),
            log_output=False,
            debug=False,  # True sends tracebacks to clients
            minimum_chunk_size=1,  # else 4096 bytes are held back
            keepalive=KEEPALIVE_S,
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
        self._store_thread = ThreadPool(1)
        self.sleep = gevent.sleep

    def spawn(self, function: Callable[..., object], *args: Any) -> _GeventTask:
        return _GeventTask(self._gevent.spawn(_guarded, function, *args))

    def call_soon(self, function: Callable[[], None]) -> None:
        self._gevent.get_hub().loop.run_callback(function)

    def new_waiter(self) -> _Waiter:
        hub = self._gevent.get_hub()
        return _Waiter(self._gevent.getcurrent, hub.switch, hub.loop.run_callback)

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._store_thread.apply(function, args)

    def serve(self, listener: socket.socket, server: Server) -> None:
        """Serve until SIGTERM or SIGINT."""
        from gevent.event import Event
        from gevent.pool import Pool
        from gevent.pywsgi import WSGIServer

        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._gevent.signal_handler(number, stop.set)
        wsgi = WSGIServer(
            listener,
            server.wsgi,
            log=None,
            error_log=logging.getLogger("tandem.wsgi"),
            spawn=Pool(MAX_CONNECTIONS),
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


class ThreadRuntime:
    """Plain threads. A thread cannot be killed: a stopped run ends at once, its provider at its
    next piece."""

    name = "threading"

    def spawn(self, function: Callable[..., object], *args: Any) -> _ThreadTask:
        thread = threading.Thread(target=_guarded, args=(function, *args), daemon=True)
        thread.start()
        return _ThreadTask()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def call_soon(self, function: Callable[[], None]) -> None:
        function()

    def new_waiter(self) -> _ThreadWaiter:
        return _ThreadWaiter()

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def serve(self, listener: socket.socket, server: Server) -> None:
        """Refuse: plain threads have no server here."""
        raise RuntimeError("ASYNC_MODE=threading cannot serve; use eventlet or gevent")


class _ThreadTask:
    def kill(self) -> None:
        """Nothing can be done to a thread from outside; its run refuses whatever it still
        brings."""


class _ThreadWaiter:
    def __init__(self) -> None:
        self._event = threading.Event()

    def wait(self) -> None:
        # The ticker wakes sleepers whose time has come; without one (open_chat) look now and then.
        self._event.wait(1.0)
        self._event.clear()

    def wake(self) -> None:
        self._event.set()


Runtime = EventletRuntime | GeventRuntime | ThreadRuntime

RUNTIMES: dict[str, type[EventletRuntime] | type[GeventRuntime] | type[ThreadRuntime]] = {
    "eventlet": EventletRuntime,
    "gevent": GeventRuntime,
    "threading": ThreadRuntime,
}


def make_runtime(name: str) -> Runtime:
    """Return the runtime of that name."""
    return RUNTIMES[name]()


def _guarded(function: Callable[..., object], *args: Any) -> None:
    try:
        function(*args)
    except Exception:
        log.exception("a background task failed")


def _without_buffering(app: Callable[..., Any]) -> Callable[..., Any]:
    def unbuffered(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # The server's own minimum_chunk_size is not enough: eventlet#236.
        environ["eventlet.minimum_write_chunk_size"] = 1
        return app(environ, start_response)

    return unbuffered


def _noted(number: int, frame: Any) -> None:
    """Take the signal; the wake-up pipe says that it came."""
