"""What is no request is refused, and nothing behind it is ever answered."""

from __future__ import annotations

import json
import re
import socket

import pytest

from tests.support.framings import CHUNKED, FRAMINGS, LENGTH, MARKER, exchanged, post
from tests.support.websocket_handshakes import handshake

STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d) ")


def exchange(server, data):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        return exchanged(connection, data)


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.name)
def test_a_framing(server, framing):
    answer = exchange(server, framing.data + MARKER)
    statuses = [int(status) for status in STATUS.findall(answer)]
    assert len(statuses) == 1 + framing.goes_on, answer[:500]
    assert statuses[0] in framing.status, answer[:500]
    assert statuses[1:] == [200] * framing.goes_on
    if not framing.goes_on:
        assert b"\r\nconnection: close" in answer.lower()
    if framing.is_refused:
        head, _, body = answer.partition(b"\r\n\r\n")
        if framing.data.startswith(b"HEAD "):
            assert body == b""
        else:
            error = json.loads(body)["error"]
            assert {"code", "message", "error_id", "retryable"} <= set(error)
        assert b"application/json" in head and b"connection: close" in head.lower()
        assert b"<" not in answer and b"Traceback" not in answer


def test_no_framing_left_a_traceback(server):
    """Runs behind those."""
    assert "Traceback" not in server.logs()


def test_answers_come_in_order(server):
    paths = ["/health", "/no/such/path", "/health", "/api/status", "/health"]
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths]
    answer = exchange(server, b"".join(requests) + MARKER)
    assert [int(status) for status in STATUS.findall(answer)] == [200, 404, 200, 200, 200, 200]


@pytest.mark.parametrize("path", [b"/health", b"/api/chat", b"/", b"/socket.io/?EIO=4", b"/no"])
def test_no_host_is_refused_on_every_route(server, path):
    answer = exchange(server, b"GET %s HTTP/1.1\r\n\r\n" % path + MARKER)
    assert answer.startswith(b"HTTP/1.1 400 ") and len(STATUS.findall(answer)) == 1


def wait_for_100(connection):
    return connection.recv(len(b"HTTP/1.1 100 Continue\r\n\r\n"), socket.MSG_WAITALL)


@pytest.mark.parametrize("framed", [LENGTH, CHUNKED])
def test_a_client_that_waits_is_told_to_go_on(server, framed):
    head = post(framed + b"Expect: 100-Continue\r\nConnection: close\r\n", b"")
    body = b'{"message": "hi"}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head)
        assert wait_for_100(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body if framed is LENGTH else b"11\r\n%s\r\n0\r\n\r\n" % body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and b"Hello there" in answer


@pytest.mark.parametrize(
    "head,status",
    [
        (b"POST /no/such/path HTTP/1.1\r\nHost: localhost\r\n" + LENGTH, b"404"),
        (b"POST /api/chat HTTP/1.1\r\nHost: evil.example\r\n" + LENGTH, b"403"),
        (b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n", b"413"),
        (b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\n" + LENGTH + CHUNKED, b"400"),
    ],
)
def test_what_will_be_refused_is_not_waited_for(server, head, status):
    answer = exchange(server, head + b"Expect: 100-continue\r\n\r\n" + MARKER)
    assert answer.startswith(b"HTTP/1.1 %s " % status)
    assert len(STATUS.findall(answer)) == 1


@pytest.mark.parametrize("options", [b"keep-alive", b"close", b"x"])
def test_a_stream_of_http_1_0_ends_with_its_connection(server, options):
    """It has neither a length nor chunks (RFC 9112, 6.3)."""
    headers = LENGTH + b"Connection: %s\r\n" % options
    request = post(headers, b'{"message": "hi"}', b"HTTP/1.0")
    answer = exchange(server, request.replace(b"/api/chat ", b"/api/chat/stream ") + MARKER)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower() and b"keep-alive" not in head
    assert b"transfer-encoding" not in head.lower() and len(STATUS.findall(answer)) == 1
    assert body.startswith(b": ") and b'"full_response"' in body


@pytest.mark.parametrize(
    "path", ["/api/chat/sessions/heads/events", "/health", "/", "/openapi.json", "/no/such/path"]
)
def test_a_head_is_nothing_but_a_head(server, path):
    server.post("/api/chat", {"message": "hi", "session_id": "heads"})
    asked = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    answer = exchange(server, asked * 2 + MARKER)
    heads = answer.split(b"\r\n\r\n")
    assert len(STATUS.findall(answer)) == 3
    assert [head[:9] for head in heads[:3]] == [b"HTTP/1.1 "] * 3


@pytest.mark.parametrize("path", ["/health", "/", "/api/chat/sessions", "/no/such/path"])
def test_nothing_is_answered_behind_a_handshake_where_there_is_no_websocket(server, path):
    answer = exchange(server, handshake(path=path) + MARKER)
    statuses = STATUS.findall(answer)
    assert len(statuses) == 1 and statuses[0].startswith(b"4"), answer
    assert b"\r\nConnection: close" in answer and b"101 Switching" not in answer
