"""What the tests of the doors share: access tokens, refused connects, slow raw connections."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from typing import Any

import jwt
import pytest
import socketio

from tests.support.server import Answer, Server

SECRET = "planted-jwt-secret-0123456789abcdef"  # 32 bytes and more


def token_of(
    subject: str | None = "alice", expires_in: float | None = 600, key: Any = SECRET, **more: Any
) -> str:
    """Return an access token; `algorithm` and `headers` among `more` are jwt.encode's."""
    options = {name: more.pop(name) for name in ("algorithm", "headers") if name in more}
    claims: dict[str, Any] = {"sub": subject, **more}
    if expires_in is not None:
        claims["exp"] = time.time() + expires_in
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, **{"algorithm": "HS256", **options})


def bearer(token: str | None) -> dict[str, str]:
    """Return the header that carries it."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def auth_of(token: str | None) -> dict[str, str] | None:
    """Return Socket.IO's auth object."""
    return None if token is None else {"token": token}


def refused_connect(
    server: Server, transport: str, auth: Any = None, path: str = "", **headers: str
) -> str:
    """Connect a Socket.IO client, which must fail; return the reason that it was given."""
    client = socketio.Client(reconnection=False)
    reasons: list[Any] = []
    client.on("connect_error", reasons.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server.url + path, headers, auth, transports=[transport], wait_timeout=30)
    client.disconnect()
    return str(reasons[-1]["message"])


def without_ids(answer: Answer) -> tuple[int, dict[str, str], Any]:
    """Return the answer without what differs from request to request."""
    headers = {k: v for k, v in answer.headers.items() if k not in {"x-request-id", "date"}}
    return answer.status, headers, without_error_id(answer.body)


def without_error_id(value: Any) -> bytes:
    """Return the bytes of an error, its id put aside."""
    body = json.loads(value) if isinstance(value, bytes) else value
    assert body["error"].pop("error_id").startswith("ERR_")
    return json.dumps(body).encode()


class RawConnection:
    """A socket that sends what it is told, and knows when the server closes it."""

    def __init__(self, server: Server, opening: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self.began = time.monotonic()
        self.socket.sendall(opening)
        self.received = b""
        self.closed_after: float | None = None

    def drip(self) -> None:
        """Take what has come, and send one more byte."""
        try:
            # Reading comes first: what is sent to a closed connection resets it.
            while select.select([self.socket], [], [], 0)[0]:
                received = self.socket.recv(65536)
                self.received += received
                if not received:
                    raise ConnectionResetError
            self.socket.send(b"x")
        except OSError:
            self.closed_after = time.monotonic() - self.began
            self.socket.close()


class Drippers:
    """Many raw connections, each of which sends one byte now and then, from a thread."""

    EVERY_S = 0.2

    def __init__(self, server: Server, count: int, opening: bytes) -> None:
        self.connections = [RawConnection(server, opening) for _ in range(count)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self.open() and not self._stop.wait(self.EVERY_S):
            for connection in self.open():
                connection.drip()

    def open(self) -> list[RawConnection]:
        """Return those that the server has not closed."""
        return [one for one in self.connections if one.closed_after is None]

    def wait_until_gone(self, timeout_s: float) -> float:
        """Wait until the server has closed them all; return how long the last one lasted."""
        self._thread.join(timeout_s)
        left = len(self.open())
        self._stop.set()
        self._thread.join()
        for connection in self.open():
            connection.socket.close()
        assert left == 0, f"{left} are still open"
        return max(connection.closed_after or 0.0 for connection in self.connections)
