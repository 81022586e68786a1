"""The clients of the load generator: one run each, over SSE or Socket.IO. They read little.

What they find they tell a Meter. A client is complete when its reply ended as it should, with all
pieces, each once and in order.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from benchmarks.frames import (
    CLOSE,
    TEXT,
    Dechunker,
    SseFrames,
    WebsocketFrames,
    socketio_event,
    socketio_name,
    websocket_frame,
)
from benchmarks.pieces import PieceCounter

ENDS = (b'"done":true', b'"done": true', b"[DONE]")
HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Meter(Protocol):
    """Who is told of what clients see."""

    def pieces(self, now_ns: int, stamps: list[int], first: bool) -> None:
        """Pieces have come; `first` if they are the first of their reply."""

    def ended(self, client: Client) -> None:
        """A client is through, complete or not."""


class Client(asyncio.Protocol):
    """One reply, and the connection it comes on."""

    def __init__(self, meter: Meter, pieces: int) -> None:
        self._meter = meter
        self._wanted = pieces
        self._counter = PieceCounter()
        self._ended = False
        self.trouble = ""
        self.began_ns = 0
        self.first_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    @property
    def complete(self) -> bool:
        """Whether the reply came whole."""
        return not self.trouble and not self._counter.gap and self._counter.count == self._wanted

    def take(self, frames: bytes) -> None:
        """Count the pieces of these frames."""
        now = time.monotonic_ns()
        stamps = self._counter.feed(frames)
        if stamps:
            first = not self.first_ns
            self.first_ns = self.first_ns or now
            self._meter.pieces(now, stamps, first)

    def end(self, trouble: str = "") -> None:
        """Be through."""
        if not self._ended:
            self._ended = True
            self.trouble = trouble
            self._meter.ended(self)

    def connection_lost(self, error: Exception | None) -> None:
        """A connection that goes before its reply is through leaves it cut."""
        self.end("the connection was lost")


class SseClient(Client):
    """A reply over HTTP."""

    def __init__(
        self, meter: Meter, pieces: int, request: bytes, on_head: Callable[[bytes], None] | None
    ) -> None:
        super().__init__(meter, pieces)
        self._request = request
        self._on_head = on_head
        self._head: bytes | None = b""
        self._chunks = Dechunker()
        self._frames = SseFrames()
        self._said_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        super().connection_made(transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self._head is not None:
            head, found, data = (self._head + data).partition(b"\r\n\r\n")
            if not found:
                self._head = head
                return
            self._head = None
            if b" 200 " not in head[:15]:
                self.end(head[:40].decode(errors="replace"))
                self.transport.close()
                return
            if self._on_head is not None:
                self._on_head(head)
        frames = self._frames.feed(self._chunks.feed(data))
        self.take(frames)
        self._said_end = self._said_end or any(end in frames for end in ENDS)
        if self._chunks.done:
            self.end("" if self._said_end else "the stream broke off")
            self.transport.close()


class SocketClient(Client):
    """A reply over Socket.IO on a websocket: connects, then waits to be told to ask."""

    def __init__(self, meter: Meter, pieces: int, port: int, message: dict[str, Any]) -> None:
        super().__init__(meter, pieces)
        self._port = port
        self._message = message
        self._upgraded = False
        self._data = b""
        self._frames = WebsocketFrames()
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        super().connection_made(transport)
        self.transport.write(HANDSHAKE.format(port=self._port).encode())

    def ask(self) -> None:
        """Send the message."""
        self.began_ns = time.monotonic_ns()
        self._send(socketio_event("chat_stream", self._message, 0))

    def _send(self, packet: bytes) -> None:
        self.transport.write(websocket_frame(packet))

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if not self._upgraded:
            self._data += data
            head, found, data = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            self._upgraded = True
            if b" 101 " not in head[:15]:
                self.end(head[:40].decode(errors="replace"))
                return
        for opcode, payload in self._frames.feed(data):
            if opcode == TEXT:
                self._packet(payload)
            elif opcode == CLOSE:
                self.end("the server closed the websocket")

    def _packet(self, packet: bytes) -> None:
        name = socketio_name(packet)
        if name == b"chat_token":
            self.take(packet)
        elif name == b"chat_complete":
            self.end()
        elif name == b"chat_stream_error":
            self.end(packet[:200].decode(errors="replace"))
        elif packet == b"2":  # Engine.IO's ping
            self._send(b"3")
        elif packet[:1] == b"0":
            self._send(b"40")
        elif packet[:2] == b"40":
            self.connected.set_result(None)
        elif packet[:2] == b"44":
            self.end("the connection was refused")

    def end(self, trouble: str = "") -> None:
        """Be through, and stop waiting for the connection."""
        if not self.connected.done():
            self.connected.set_exception(ConnectionError(trouble))
        super().end(trouble)


def http_request(
    method: str, path: str, port: int, body: Any = None, headers: dict[str, str] | None = None
) -> bytes:
    """Return the bytes of a request, its body as JSON."""
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join((*lines, "", "")).encode() + data
