"""A model server of our own: real HTTP on a real socket, that does exactly what a test tells it.

A test gives it a `reply`, a function of the Exchange; it runs in a thread of its own for each
request and can be slow, lie, hang or cut, and can see when its client has gone.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

PLANTED_KEY = "sk-planted-0123456789abcdef"  # of the providers that are asked here
Reply = Callable[["Exchange"], None]


class Exchange:
    """One request and the connection it came on."""

    def __init__(self, connection: socket.socket, head: str, body: bytes) -> None:
        self.connection = connection
        self.head = head
        self.body = json.loads(body) if body else None
        self.closed = threading.Event()  # the client has closed its end
        self.started = threading.Event()  # the stream's headers were sent

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(data)

    def start(self, status: str = "200 OK", content_type: str = "text/event-stream") -> None:
        """Send the head of a chunked answer."""
        lines = (
            f"HTTP/1.1 {status}",
            f"Content-Type: {content_type}",
            "Transfer-Encoding: chunked",
        )
        self.raw("\r\n".join((*lines, "", "")).encode())
        self.started.set()

    def chunk(self, data: bytes) -> None:
        """Send one HTTP chunk."""
        self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, value: Any) -> None:
        """Send one SSE event of JSON."""
        self.chunk(event_bytes(value))

    def delta(self, text: str) -> None:
        """Send one piece of text."""
        self.event(delta(text))

    def finish(
        self,
        reason: str | None = "stop",
        usage: dict[str, int] | None = None,
        mark: bool = True,
    ) -> None:
        """Send the finish reason, the usage if there is one, [DONE], and the end of the answer."""
        if reason:
            self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if usage:
            self.event({"choices": [], "usage": usage})
        if mark:
            self.chunk(b"data: [DONE]\n\n")
        self.raw(b"0\r\n\r\n")

    def cut(self) -> None:
        """Hang up."""
        raise ConnectionAbortedError

    def is_closed(self) -> bool:
        """Tell whether the client has closed the connection by now, without waiting."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):  # the reply's own thread has seen it, and closed it, too
            return True

    def wait_closed(self, timeout_s: float = 30) -> bool:
        """Wait until the client has closed the connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], timeout_s)
            if readable and not self.connection.recv(1):
                self.closed.set()
        except (OSError, ValueError):  # ValueError: the reply's own thread has closed it, too
            self.closed.set()
        return self.closed.is_set()


def delta(text: str) -> dict[str, Any]:
    """Return the chunk of one piece of text."""
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }


def event_bytes(value: Any) -> bytes:
    """Return one SSE event of JSON."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def say(
    texts: Iterable[str], reason: str | None = "stop", usage: Any = None, mark: bool = True
) -> Reply:
    """Return a reply that says these pieces and finishes."""

    def reply(exchange: Exchange) -> None:
        exchange.start()
        for text in texts:
            exchange.delta(text)
        exchange.finish(reason, usage, mark)

    return reply


def refuse(status: str, *headers: str) -> Reply:
    """Return a reply that is an error's status without a body; headers as `Name: value`."""
    lines = (f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", "")
    return lambda exchange: exchange.raw("\r\n".join(lines).encode())


def in_turn(*replies: Reply) -> Reply:
    """Return a reply that is another one for each request, and the last for all that follow."""
    left = list(replies)
    lock = threading.Lock()

    def reply(exchange: Exchange) -> None:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(exchange)

    return reply


def completion(text: str, usage: Any = None) -> Reply:
    """Return a reply that is a whole completion: what answers a request without `stream`."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()

    def reply(exchange: Exchange) -> None:
        exchange.start("200 OK", "application/json")
        exchange.chunk(whole)
        exchange.raw(b"0\r\n\r\n")

    return reply


def silent(exchange: Exchange) -> None:
    """Start a stream, say nothing, wait until the client goes."""
    exchange.start()
    exchange.wait_closed(60)


class Steps:
    """A reply whose pieces come, each, when the test says `go`; the end is one step more."""

    def __init__(self, *pieces: str, patience_s: float = 30) -> None:
        self.pieces = pieces
        self._patience_s = patience_s
        self._gate = threading.Semaphore(0)

    def go(self, steps: int = 1) -> None:
        """Let that many of them go."""
        self._gate.release(steps)

    def finish(self) -> None:
        """Let all go."""
        self.go(len(self.pieces) + 1)

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        for piece in self.pieces:
            self._gate.acquire(timeout=self._patience_s)
            exchange.delta(piece)
        self._gate.acquire(timeout=self._patience_s)
        exchange.finish(usage={"prompt_tokens": 7, "completion_tokens": 3})


class Upstream:
    """The server; `reply` is what it does next, `exchanges` what it has seen."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.reply: Reply = say(["Hello", " there"])
        self.replies: dict[str, Reply] = {}  # by the last message's text, before `reply`
        self.exchanges: list[Exchange] = []
        self._arrived = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The base URL for OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:  # the client does not trust us
                return
        with connection:
            while True:
                request = _read_request(connection)
                if request is None:
                    return
                exchange = Exchange(connection, *request)
                with self._arrived:
                    self.exchanges.append(exchange)
                    self._arrived.notify_all()
                try:
                    self._choose(exchange)(exchange)
                except OSError:
                    exchange.closed.set()
                    return
                if exchange.closed.is_set():
                    return

    def _choose(self, exchange: Exchange) -> Reply:
        messages = (exchange.body or {}).get("messages") or [{"content": ""}]
        said = messages[-1]["content"]
        return self.replies.get(said, self.reply) if isinstance(said, str) else self.reply

    def wait_for(self, count: int, timeout_s: float = 30) -> Exchange:
        """Return the `count`-th exchange, waiting for it."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.exchanges) >= count, timeout_s)
            return self.exchanges[count - 1]

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _read_request(connection: socket.socket) -> tuple[str, bytes] | None:
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            received = connection.recv(65536)
        except OSError:
            return None
        if not received:
            return None
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next((int(x.split(":")[1]) for x in lines if x.startswith("content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head.decode(), body
