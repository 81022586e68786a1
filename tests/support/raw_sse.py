"""An SSE client on a bare socket, which can be cut at any byte of what the server sends."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.support.server import Server
from tests.support.sse import SseEvent, SseParser


class RawSse:
    """Sends a request, reads until it has had enough, hangs up."""

    def __init__(self, server: Server, body: Any, path: str = "/api/chat/stream", **headers: str):
        data = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        self.received = b""
        self.run_id = ""

    def read_head(self) -> None:
        """Read the headers."""
        while b"\r\n\r\n" not in self.received:
            self.received += self._socket.recv(1)
        head = self.received.decode().lower()
        self.run_id = head.split("x-run-id: ")[1].split("\r\n")[0]
        self.received = b""

    def read_bytes(self, count: int) -> None:
        """Read that many bytes of the body, less if it ends before."""
        while len(self.received) < count:
            data = self._socket.recv(count - len(self.received))
            if not data:
                return
            self.received += data

    def cut(self) -> list[SseEvent]:
        """Hang up; return the events that were received whole."""
        self._socket.close()
        return SseParser().feed(_dechunked(self.received))


def _dechunked(data: bytes) -> bytes:
    """Return what a chunked body says, up to where it was cut."""
    body = b""
    while b"\r\n" in data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body += data[:length]
        data = data[length + 2 :]
    return body
