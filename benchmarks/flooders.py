"""A client that sends more than anybody should: a process of its own, at the lowest priority.

`python -m benchmarks.flooders NAME PORT CLIENTS` floods until it is ended, with that many
connections. A connection that the server ends is opened again at once; answers are dropped unread.
What was sent is printed, as JSON, at SIGTERM.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.frames import PING, TEXT, websocket_frame

HOST = b"Host: localhost\r\n"
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SID = b'"sid":"'
POLLING = "/socket.io/?EIO=4&transport=polling"
EVENT = websocket_frame(b'420["chat_stop",{"run_id":"none"}]')
AT_ONCE = 65_536  # bytes of a payload that is sent over and over
CONTINUATION = 0


def request(method: str, path: str, body: bytes = b"", headers: bytes = b"") -> bytes:
    """Return a request on a connection that stays."""
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"%s %s HTTP/1.1\r\n" % (method.encode(), path.encode()) + (
        HOST + b"Content-Type: application/json\r\n" + headers + length + b"\r\n" + body
    )


def fragment(payload: bytes, opcode: int = CONTINUATION) -> bytes:
    """Return a frame that is not the last of its message."""
    frame = websocket_frame(payload, opcode)
    return bytes((frame[0] & 0x7F,)) + frame[1:]


def chunked(path: str, chunks: int) -> bytes:
    """Return a request with a body of chunks of one byte."""
    head = request("POST", path, headers=b"Transfer-Encoding: chunked\r\n")
    return head + b"1\r\n \r\n" * chunks + b"0\r\n\r\n"


@dataclass(frozen=True)
class Flood:
    """What is sent: openings, each once the answer to the one before has this part, then a payload
    over and over, or so many times."""

    title: str
    payload: bytes
    openings: tuple[tuple[bytes, bytes], ...] = ()
    times: int | None = None  # then the connection is left as it is
    pause_s: float = 0.0  # between two payloads
    fill: bool = True  # several of a short payload in one send
    polls: bool = False  # a session is opened first, and its id put where `$sid` is
    limits: dict[str, str] = field(default_factory=dict)  # settings of the server


JOINED = ((UPGRADE, SID), (websocket_frame(b"40"), b"40{"))
BARE = ((UPGRADE, SID),)
MANY = b",".join([b"[]"] * 330_000)


def post(body: bytes) -> bytes:
    """Return a POST of a polling client's."""
    return request("POST", f"{POLLING}&sid=$sid", body)


FLOODS = {
    "health": Flood("GET /health, pipelined", request("GET", "/health")),
    "events": Flood("events", EVENT, JOINED),
    "unjoined": Flood("events before CONNECT", EVENT, BARE),
    "pongs": Flood("pongs", websocket_frame(b"3"), JOINED),
    "pings": Flood("pings", websocket_frame(b"", PING), JOINED),
    "bare-pings": Flood("pings before CONNECT", websocket_frame(b"", PING), BARE),
    "packets": Flood("POSTs of 5000 packets", post(b"\x1e".join([b"3"] * 5000)), polls=True),
    "posts": Flood("POSTs of 200 packets", post(b"\x1e".join([b"3"] * 200)), polls=True),
    "post-2": Flood("POSTs of `2`", post(b"2"), polls=True),
    "post-7": Flood("POSTs of `7`", post(b"7"), polls=True),
    "post-2mb": Flood("POSTs of 2 MB", post(b"4" * 2_000_000), polls=True),
    "bodies": Flood("bodies of 1 MB", request("POST", "/api/chat", b'{"message":[' + MANY + b"]}")),
    "unread": Flood("bodies of 30 MB, unread", request("POST", "/none", b" " * 30_000_000)),
    "chunks": Flood("bodies in chunks of 1 byte", chunked("/api/chat", 500_000)),
}
SLOW = {
    "idle": Flood("idle connections", b"", times=0),
    "drip": Flood("a byte each second", b"G", times=1000, pause_s=1.0, fill=False),
    "fragments": Flood(
        "100,000 fragments of a byte",
        fragment(b"x"),
        (*JOINED, (fragment(b"x", TEXT), b"")),
        times=100_000,
    ),
    "unfinished": Flood(
        "30 MB of fragments",
        fragment(b"x" * 60_000),
        (*JOINED, (fragment(b"x", TEXT), b"")),
        times=500,
    ),
}


class Flooder:
    """One connection after another, each of which sends as fast as it is read."""

    def __init__(self, flood: Flood, port: int) -> None:
        self._flood = flood
        self._port = port
        self._sid = b""
        self.sent = 0
        self.connections = 0

    def flood(self) -> None:
        """Flood for ever."""
        while True:
            with contextlib.suppress(OSError):
                self._once()
            time.sleep(0.001)

    def _once(self) -> None:
        if self._flood.polls:
            self._sid = self._new_sid()
        with socket.create_connection(("127.0.0.1", self._port), timeout=60) as connection:
            self.connections += 1
            for data, answer in self._flood.openings:
                connection.sendall(data)
                _read_until(connection, answer)
            connection.setblocking(False)
            for data in self._payloads():
                self._send(connection, data)
            while connection.recv(AT_ONCE):  # nothing is left to send
                pass

    def _payloads(self) -> Iterator[bytes]:
        flood = self._flood
        data = flood.payload.replace(b"$sid", self._sid)
        count = max(1, AT_ONCE // max(1, len(data))) if flood.fill else 1
        left = flood.times
        while left is None or left > 0:
            count = count if left is None else min(count, left)
            yield data * count
            left = None if left is None else left - count
            if flood.pause_s:
                time.sleep(flood.pause_s)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            readable, writable, _ = select.select([connection], [connection], [], 5)
            if readable and not connection.recv(1 << 20):
                raise ConnectionError("the server has hung up")
            if writable:
                sent = connection.send(view)
                self.sent += sent
                view = view[sent:]

    def _new_sid(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self._port), timeout=60) as connection:
            connection.sendall(request("GET", POLLING))
            answer = _read_until(connection, b'","')
            return answer.partition(SID)[2].partition(b'"')[0]


def _read_until(connection: socket.socket, part: bytes) -> bytes:
    answer = b""
    while part not in answer:
        data = connection.recv(AT_ONCE)
        if not data:
            raise ConnectionError("the server has hung up")
        answer += data
    return answer


class Idlers:
    """Many connections that one task holds: too many for a thread each."""

    def __init__(self, flood: Flood, port: int, clients: int) -> None:
        self._flood = flood
        self._port = port
        self._open: list[socket.socket] = []
        self._clients = clients
        self.sent = 0
        self.connections = 0

    def flood(self) -> None:
        """Keep them open, and let each drip."""
        while True:
            pause_s = 1 / self._clients
            with contextlib.suppress(OSError):
                while len(self._open) < self._clients:
                    self._open.append(socket.create_connection(("127.0.0.1", self._port), 60))
                    self.connections += 1
            for connection in list(self._open):
                try:
                    self.sent += connection.send(self._flood.payload) if self._flood.payload else 0
                except OSError:
                    self._open.remove(connection)
                time.sleep(pause_s)  # each of them drips once a second


def main(name: str, port: int, clients: int) -> None:
    """Flood until SIGTERM."""
    os.nice(19)
    flood = {**FLOODS, **SLOW}[name]
    many: list[Flooder] | list[Idlers]
    if name in {"idle", "drip"}:
        many = [Idlers(flood, port, clients)]
    else:
        many = [Flooder(flood, port) for _ in range(clients)]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run: Callable[[], None]
    for run in [one.flood for one in many]:
        threading.Thread(target=run, daemon=True).start()
    stop.wait()
    sent = {
        "sent": sum(one.sent for one in many),
        "connections": sum(one.connections for one in many),
    }
    print(json.dumps(sent), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
