"""Green threads of eventlet; runs/ports.py says what a runtime must do."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from app.runtimes.eventlet.http import timed_eventlet_protocol
from app.runtimes.eventlet.hub import WatchedConnection, streaming_hub
from app.runtimes.eventlet.websockets import direct_parts
from app.runtimes.request_time import KEEPALIVE_S, log
from app.runtimes.server import KILL_WAIT_S, MAX_CONNECTIONS, Server
from app.runtimes.tasks import GreenWaiter, Tasks

MAX_HEADER_BYTES = 65536  # of a line; gevent's figure. eventlet's 8192 refuses long tokens bare


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
