"""The transport with handlers that are not the chat's, and clients that speak by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websocket

from tests.support.server import ROOT, Answer, Server

SHORT_S = {"PING_INTERVAL_S": 0.5, "PING_TIMEOUT_S": 3}


class Conforming(Server):
    """`serve.py` as a process of its own."""

    script = ROOT / "tests" / "conformance" / "serve.py"


def path_of(place: str, transport: str = "polling", sid: str = "") -> str:
    """The path of a request, of the session `sid`."""
    return f"/{place}/?EIO=4&transport={transport}" + (f"&sid={sid}" if sid else "")


class Polling:
    """An Engine.IO session by polling."""

    def __init__(self, server: Server, place: str = "engine.io") -> None:
        self.server, self.place = server, place
        opened = server.get(path_of(place)).body.decode()
        assert opened[0] == "0"
        self.offer = json.loads(opened[1:])
        self.sid = self.offer["sid"]
        self.path = path_of(place, sid=self.sid)

    def poll(self) -> tuple[int, str]:
        """Return the next answer's status, and its packets."""
        answer = self.server.get(self.path)
        return answer.status, answer.body.decode() if answer.status == 200 else ""

    def poll_meanwhile(self) -> Callable[[], tuple[int, str]]:
        """Poll in a thread; return what waits for the answer."""
        answers: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: answers.append(self.poll()), daemon=True)
        thread.start()

        def answer() -> tuple[int, str]:
            thread.join(60)
            return answers[0]

        return answer

    def post(self, payload: str | bytes) -> Answer:
        """Send packets."""
        data = payload.encode() if isinstance(payload, str) else payload
        return self.server.request("POST", self.path, data, {"Content-Type": "text/plain"})


def open_websocket(server: Server, place: str = "engine.io", sid: str = "") -> Any:
    """Open a websocket; of a session of its own the offer is the first that it is sent."""
    path = path_of(place, "websocket", sid)
    return websocket.create_connection(f"ws://127.0.0.1:{server.port}{path}", timeout=60)


def is_closed(ws: Any) -> bool:
    """Wait until the server closes a websocket; pings and its last packet may come before."""
    try:
        while message := ws.recv():
            if message not in {"1", "2"}:
                return False
    except (websocket.WebSocketException, OSError):
        pass
    return True


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With times that no test meets."""
    long_s = {"PING_INTERVAL_S": 60, "PING_TIMEOUT_S": 60, "CONNECT_TIMEOUT_S": 120}
    started = Conforming(tmp_path_factory.mktemp("conformance"), **long_s)
    yield started
    assert "Traceback" not in started.output
    started.end()


@pytest.fixture(scope="session")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With short times."""
    started = Conforming(tmp_path_factory.mktemp("lively"), CONNECT_TIMEOUT_S=0.5, **SHORT_S)
    yield started
    started.end()
