"""A TCP proxy in front of the server, that cuts connections and answers 500 as a test tells it."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress

_REQUEST = re.compile(rb"(?:GET|POST|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class CuttingProxy:
    """Passes bytes on; `failing` are the beginnings of paths that get 500 instead."""

    def __init__(self, port: int) -> None:
        self.failing: tuple[str, ...] = ()
        self.paths: list[str] = []  # of all requests seen
        self._target = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()  # guarded by _lock
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Cut every connection there is; new ones may come."""
        with self._lock:
            cut, self._open = self._open, set()
        for connection in cut:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def move(self, port: int) -> None:
        """Pass new connections on to another port: the server has started again."""
        self._target = port

    def close(self) -> None:
        """Cut all, and listen no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                asks = source is client
                threading.Thread(target=self._pass, args=(source, sink, asks), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if asks and self._fails(data):
                    source.sendall(_FAILED)
                    break
                sink.sendall(data)
        for connection in (source, sink):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _fails(self, data: bytes) -> bool:
        found = _REQUEST.match(data)
        if found is None:
            return False
        path = found[1].decode()
        self.paths.append(path)
        return path.startswith(self.failing) if self.failing else False


class HoldingProxy(CuttingProxy):
    """Keeps what the server says to a request for a stream, and passes it on when that is over."""

    def _pass(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        if asks:
            super()._pass(source, sink, asks)
            return
        held = b""
        with suppress(OSError):
            while data := source.recv(65536):
                held += data
                if b"Content-Type: text/event-stream" in held and b"\r\n0\r\n\r\n" not in held:
                    continue
                sink.sendall(held)
                held = b""
            sink.sendall(held)
        for connection in (source, sink):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
