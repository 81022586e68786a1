"""Clients that take their time: cut off when it is up, and in nobody's way until then."""

from __future__ import annotations

import http.client
import os
import select
import time

import pytest

from tests.support.doors import SECRET, Drippers, token_of

MANY = 300
GONE_S = 30  # a client that drips would stay for a quarter of an hour
TIMES = {"REQUEST_HEAD_TIMEOUT_S": 1, "REQUEST_BODY_TIMEOUT_S": 1}
JSON_POST = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WITH_LENGTH = JSON_POST + b"Content-Length: 5000\r\n\r\n{"

HEADS = {
    "silence": b"",
    "request line": b"GE",
    "header line": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "header of a POST": JSON_POST % b"/api/chat" + b"Content-Length: 5\r\nX-Slow: ",
}
BODIES = {
    "a message": WITH_LENGTH % b"/api/chat",
    "a stream": WITH_LENGTH % b"/api/chat/stream",
    "a session": WITH_LENGTH % b"/api/chat/sessions",
    "chunked": JSON_POST % b"/api/chat" + b"Transfer-Encoding: chunked\r\n\r\n5000\r\n",
    "Socket.IO": WITH_LENGTH % b"/socket.io/?EIO=4&transport=polling&sid=none",
    "nobody reads it": WITH_LENGTH % b"/no/such/path",
    "not on a GET either": (WITH_LENGTH % b"/health").replace(b"POST", b"GET"),
    "of a foreign page": (WITH_LENGTH % b"/api/chat").replace(b"localhost", b"evil.example"),
}


@pytest.fixture(scope="module")
def strict(start_one):
    """A server that waits a second for a head, and for a body."""
    return start_one(**TIMES)


@pytest.mark.parametrize("opening", HEADS.values(), ids=list(HEADS))
def test_a_head_that_drips_is_cut_off(strict, opening):
    Drippers(strict, 1, opening).wait_until_gone(GONE_S)


@pytest.mark.parametrize("opening", BODIES.values(), ids=list(BODIES))
def test_a_body_that_drips_is_cut_off(strict, opening):
    drippers = Drippers(strict, 1, opening)
    drippers.wait_until_gone(GONE_S)
    answer = drippers.connections[0].received
    assert not answer or answer.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in answer.split(b"\r\n")[0]


def test_a_slow_message_is_told_so(strict):
    drippers = Drippers(strict, 1, BODIES["a message"])
    drippers.wait_until_gone(GONE_S)
    assert drippers.connections[0].received.startswith(b"HTTP/1.1 400 ")
    assert b"took too long" in drippers.connections[0].received


def test_a_body_without_a_token_is_not_waited_for(start_server):
    server = start_server(JWT_SECRET=SECRET, **TIMES)
    drippers = Drippers(server, 1, BODIES["a message"])
    drippers.wait_until_gone(GONE_S)
    assert drippers.connections[0].received.startswith(b"HTTP/1.1 401 ")
    assert server.get("/api/chat/sessions", Authorization=f"Bearer {token_of()}").status == 200


def test_a_connection_between_two_requests_is_not_slow(strict):
    connection = http.client.HTTPConnection("127.0.0.1", strict.port, timeout=10)
    for _ in range(2):
        connection.request("POST", "/api/chat", b'{"message": "hi"}')
        assert connection.getresponse().read().startswith(b'{"response"')
        assert select.select([connection.sock], [], [], 2)[0] == []
    connection.close()


def test_an_unread_body_that_is_all_there_keeps_the_connection(strict):
    connection = http.client.HTTPConnection("127.0.0.1", strict.port, timeout=10)
    for _ in range(2):
        connection.request("POST", "/no/such/path", b"x" * 100_000)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Connection"]) == (404, None)
    connection.close()


@pytest.mark.parametrize(
    "opening", [HEADS["header line"], BODIES["a message"]], ids=["heads", "bodies"]
)
def test_many_slow_clients_hold_nobody_up(start_server, opening):
    server = start_server(REQUEST_HEAD_TIMEOUT_S=6, REQUEST_BODY_TIMEOUT_S=6)
    files = open_files(server)
    drippers = Drippers(server, MANY, opening)
    before = time.monotonic()
    assert server.post("/api/chat", {"message": "hi"}).status == 200
    waited = time.monotonic() - before
    assert len(drippers.open()) == MANY  # and none of them was given up for it
    lasted = drippers.wait_until_gone(GONE_S)
    server.get("/health")
    print(f"\n{MANY} slow: a new client waits {waited * 1000:.1f} ms; gone after {lasted:.1f} s")
    assert open_files(server) < files + 20


def open_files(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))
