"""What is between a process and its database, or its bus: a TCP proxy that loses answers, or all,
when told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path


class Cable:
    """Passes bytes on, to a port or a Unix socket. `swallows`: what the server answers is lost, and
    then the connection; `is_dead`: nothing arrives in either direction, not even an end, and nobody
    is told."""

    def __init__(self, target: int | Path) -> None:
        self.swallows = False
        self.is_dead = False
        self._target = target
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()  # guarded by _lock
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """End all connections that there are, and tell both ends; new ones may come."""
        with self._lock:
            ended, self._open = self._open, set()
        for end in ended:
            _end(end)

    def mend(self) -> None:
        """Be alive again. What was lost meanwhile does not come any more: those connections end."""
        self.is_dead = False
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    server = self._connected()
                except OSError:  # nobody is there
                    client.close()
                    continue
                with self._lock:
                    self._open |= {client, server}
                for one, other, answers in ((client, server, False), (server, client, True)):
                    arguments = (one, other, answers)
                    threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _connected(self) -> socket.socket:
        if isinstance(self._target, int):
            server = socket.create_connection(("127.0.0.1", self._target))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return server
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._target))
        return server

    def _pass_on(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if answers and self.swallows:
                    break
                if not self.is_dead:
                    other.sendall(data)
        if self.is_dead:
            return  # `mend` ends both
        with self._lock:
            self._open -= {one, other}
        for end in (one, other):
            _end(end)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
