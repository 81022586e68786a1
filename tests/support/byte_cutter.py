"""A TCP proxy before the server, that hangs up after as many bytes as a test says."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

NEVER = 1 << 60


class Proxy:
    """Connection number n is cut after `cuts[n]` bytes of what the server sends; later ones are
    not."""

    def __init__(self, port: int, cuts: tuple[int, ...] = ()) -> None:
        self._server_port = port
        self._cuts = cuts
        self._arrived = threading.Condition()
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """What clients take for the server."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, count: int, timeout_s: float = 10) -> None:
        """Wait until that many connections were made."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.connections >= count, timeout_s)

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._arrived:
                    number, self.connections = self.connections, self.connections + 1
                    self._arrived.notify_all()
                left = self._cuts[number] if number < len(self._cuts) else NEVER
                server = socket.create_connection(("127.0.0.1", self._server_port))
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for work in (self._to_server, self._to_client):
                    threading.Thread(target=work, args=(client, server, left), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, left: int) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _to_client(self, client: socket.socket, server: socket.socket, left: int) -> None:
        with client, server:
            with suppress(OSError):
                while left and (data := server.recv(min(left, 65536))):
                    client.sendall(data)
                    left -= len(data)
            for one in (client, server):  # whoever reads from them is woken
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
