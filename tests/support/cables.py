"""What is between a process and its database: a TCP proxy that loses answers, or all, when told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Cable:
    """Passes bytes on. `swallows`: what the server answers is lost, and then the connection;
    `is_dead`: nothing arrives in either direction, and nobody is told."""

    def __init__(self, port: int) -> None:
        self.swallows = False
        self.is_dead = False
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                for one, other, answers in ((client, server, False), (server, client, True)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    arguments = (one, other, answers)
                    threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if answers and self.swallows:
                    break
                if not self.is_dead:
                    other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
