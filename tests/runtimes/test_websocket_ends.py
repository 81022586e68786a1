"""A websocket on a real connection: whose turn it is, and how each side closes it."""

from __future__ import annotations

import socket
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from app.runtimes.websockets.sending import frame_of
from app.runtimes.websockets.websocket import LINK, Link, WebSocket, websocket_app
from tests.support.websocket_cases import CONT, PING, TEXT, close, frame

GOING = b"\x88\x02\x03\xe8"  # Close 1000


class Far:
    """The client's end, and what a server makes of the other."""

    def __init__(self, behind=b""):
        self.near, self.far = socket.socketpair()
        self.near.settimeout(10)
        self.far.settimeout(10)
        self.turns = 0
        self.is_http_over = False
        self.link = Link("", self.near, self.near, behind, self._timeout, self._opened)
        self.classes = {"event": threading.Event, "sleep": self._sleep}

    def _timeout(self, *args):
        return nullcontext()

    def _opened(self):
        self.is_http_over = True

    def _sleep(self, seconds):
        self.turns += 1

    def websocket(self):
        return WebSocket(self.link, self.classes, 1000)

    def serve(self, handler):
        """Serve a handshake; return what was sent behind the answer to it."""
        server = SimpleNamespace(max_http_buffer_size=1000)
        websocket_app(self.classes)(handler, server)({LINK: self.link}, None)
        self.near.close()
        head, _, frames = self.rest().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ") and self.is_http_over
        return frames

    def rest(self):
        return b"".join(iter(lambda: self.far.recv(65536), b""))

    def end(self):
        self.near.close()
        self.far.close()


@pytest.fixture
def far():
    made = []

    def connect(behind=b""):
        made.append(Far(behind))
        return made[-1]

    yield connect
    for one in made:
        one.end()


@pytest.mark.parametrize("flood", [frame(PING), frame(CONT, fin=False)], ids=["pings", "fragments"])
def test_who_sends_without_an_end_gives_up_turns(far, flood):
    """What is read here takes far longer than a turn on any machine."""
    begun = b"" if flood == frame(PING) else frame(TEXT, fin=False)
    client = far(begun + flood * 9_000 + close(1000))
    reading = threading.Thread(target=client.rest, daemon=True)
    reading.start()
    assert client.websocket().wait() is None
    client.near.close()
    reading.join(10)
    assert client.turns > 1


def test_messages_come_in_order_and_pongs_between_them(far):
    client = far(frame(TEXT, b"a") + frame(PING, b"1") + frame(TEXT, b"b") + close(1001))
    ws = client.websocket()

    def echo(ws):
        while (message := ws.wait()) is not None:
            ws.send(message)

    echo(ws)
    sent = frame_of("a") + b"\x8a\x011" + frame_of("b") + b"\x88\x02\x03\xe9"
    assert client.rest() == sent


def test_a_handler_that_returns_closes(far):
    client = far()
    client.far.shutdown(socket.SHUT_WR)
    assert client.serve(lambda ws: None) == GOING


@pytest.mark.parametrize("error", [OSError(), ValueError("a bug")])
def test_a_handler_that_fails_closes_and_nothing_else_is_sent(far, error, caplog):
    def fail(ws):
        raise error

    client = far()
    client.far.shutdown(socket.SHUT_WR)
    assert client.serve(fail) == GOING
    assert len(caplog.records) == (not isinstance(error, OSError))


def test_nothing_is_sent_behind_a_close(far):
    client = far()
    ws = client.websocket()
    ws.close()
    ws.close()
    with pytest.raises(OSError):
        ws.send("late")
    assert ws.wait() is None
    assert client.rest() == GOING


def test_who_waits_is_woken_by_a_close_that_is_answered(far):
    client = far()
    ws, found = client.websocket(), []
    reading = threading.Thread(target=lambda: found.append(ws.wait()), daemon=True)
    reading.start()
    while not ws._reads:
        reading.join(0.01)
    closing = threading.Thread(target=ws.close, daemon=True)
    closing.start()
    assert client.rest() == GOING  # and its end
    client.far.sendall(close(1000))
    reading.join(10)
    closing.join(10)
    assert found == [None] and not closing.is_alive()


def test_a_client_that_is_gone_ends_the_wait(far):
    client = far(frame(TEXT, b"last"))
    client.far.close()
    ws = client.websocket()
    assert [ws.wait(), ws.wait()] == ["last", None]


def test_a_client_that_is_silent_for_too_long_ends_the_wait(far):
    client = far()
    client.near.settimeout(0.01)
    ws = client.websocket()
    assert ws.wait() is None
    client.far.close()
    ws.end()
