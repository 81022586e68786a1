"""An Engine.IO client that polls, by hand: its requests go on whatever connection a test says."""

from __future__ import annotations

import http.client
import json

from tests.support.server import Server

PATH = "/socket.io/?EIO=4&transport=polling"


def connection_to(server: Server, timeout_s: float = 30) -> http.client.HTTPConnection:
    """Return a connection, which is open."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout_s)
    connection.connect()
    return connection


class Polling:
    """One session, opened on a connection; `owner` is the process that has it."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        status, body = ask(connection, "GET", PATH)
        assert (status, body[:1]) == (200, b"0")
        self.sid: str = json.loads(body[1:])["sid"]

    @property
    def owner(self) -> str:
        """The name of the process that its id has in it."""
        return self.sid.partition("-")[0]

    @property
    def path(self) -> str:
        """Where its requests go."""
        return f"{PATH}&sid={self.sid}"

    def send(self, connection: http.client.HTTPConnection, packets: str) -> tuple[int, bytes]:
        """POST packets; return the status and the answer."""
        return ask(connection, "POST", self.path, packets.encode())

    def poll(self, connection: http.client.HTTPConnection) -> tuple[int, bytes]:
        """Return the status and what waits for it."""
        return ask(connection, "GET", self.path)

    def join(self, connection: http.client.HTTPConnection) -> None:
        """Enter the default namespace."""
        assert self.send(connection, "40") == (200, b"ok")
        status, body = self.poll(connection)
        assert status == 200 and body.startswith(b"40{"), body


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    """Send one request; return its status and its whole answer."""
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()
