"""Bad input on both transports: a clear error that names the field, and nothing is left behind."""

from __future__ import annotations

import socket

import pytest

from tests.support.raw_socket import RawSocket
from tests.support.sockets import SocketClient

SOCKET_DATA = [
    ({}, "invalid_request", "message"),
    ({"message": ""}, "invalid_request", "message"),
    ({"message": 5}, "invalid_request", "message"),
    ({"message": "a\x00"}, "invalid_request", "message"),
    ({"message": "x", "session_id": "a/b"}, "invalid_request", "session_id"),
    ({"message": "x", "provider": "nobody"}, "invalid_request", "provider"),
    ({"message": "a" * 128_001}, "too_large", "message"),
    (None, "invalid_request", "data"),
    (["a", "list"], "invalid_request", "data"),
    ((1, 2, 3), "invalid_request", "data"),
    ("text", "invalid_request", "data"),
]


@pytest.mark.parametrize("data, code, field", SOCKET_DATA, ids=lambda value: repr(value)[:40])
def test_bad_data_over_socketio(server, connect, data, code, field):
    before = server.status()["sessions"]
    client = connect()
    ack = client.call("chat_stream", data)
    assert ack["error"]["code"] == code and field in ack["error"]["fields"]
    event = client.wait_for_end()
    assert (event["code"], event["error_id"]) == (code, ack["error"]["error_id"])
    assert server.status()["sessions"] == before


def test_unknown_events_are_answered(connect):
    assert connect().call("no_such_event", {})["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("event", ["chat_resume", "chat_stop"])
def test_runs_that_are_not_there(connect, event):
    assert connect().call(event, {"run_id": "nope", "seq": 0})["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "packet",
    [
        '42["connect",{}]',
        '42["disconnect"]',
        '42["tandem:refused","x"]',
        "42[]",
        "42{}",
        "42[5]",
        "42{bad json",
        '42["chat_stream",{"message":"\\ud800"}]',
        '451-["chat_stream",{"_placeholder":true,"num":0}]',
    ],
)
def test_packets_that_are_no_event_of_ours(server, packet):
    raw = RawSocket(server)
    raw.send(packet)
    answer = raw.receive()
    assert answer.startswith('42["chat_stream_error"') and '"bad_json"' in answer
    raw.send('42["chat_stop",{"run_id":"x"}]')
    raw.send('427["chat_stop",{"run_id":"x"}]')
    assert raw.receive().startswith("437[") or raw.receive().startswith("437[")
    raw.close()


def test_binary_is_refused_and_three_refusals_end_the_connection(server):
    raw = RawSocket(server)
    for _ in range(3):
        raw.send("42[]")
        assert "chat_stream_error" in raw.receive()
    assert raw.receive() in {"41", "1", ""}
    raw.close()


def test_a_chunked_body_is_read(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall(
            b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n"
            b'8\r\n{"messag\r\n9\r\ne": "hi"}\r\n0\r\n\r\n'
        )
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and b"Hello there" in answer


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_gets_its_answer(server, chunked):
    body = b'{"message": "' + b"a" * 3_000_000 + b'"}'
    length = (
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        if chunked
        else b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + length)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"too_large"' in answer


def test_no_traceback_is_left_behind(server):
    """Runs last in this file: what came before is in the logs."""
    assert "Traceback" not in server.logs()


def test_socket_clients_are_counted_out(server):
    client = SocketClient(server)
    client.close()
    assert server.status()["viewers"]["socket"] == 0


BROKEN_BODIES = {
    "not_chunks": (b"Transfer-Encoding: chunked", b"not-a-length\r\n"),
    "negative chunk": (b"Transfer-Encoding: chunked", b"-5\r\nhello\r\n0\r\n\r\n"),
    "cut chunk": (b"Transfer-Encoding: chunked", b'9\r\n{"mess'),
    "cut": (b"Content-Length: 50", b'{"message": '),
}


@pytest.mark.parametrize("path", [b"/api/chat", b"/api/chat/sessions"])
@pytest.mark.parametrize("kind", BROKEN_BODIES)
def test_a_broken_body_is_refused_and_ends_the_connection(server, kind, path):
    header, body = BROKEN_BODIES[kind]
    smuggled = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" if b"-" in body else b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n" % (path, header)
        connection.sendall(head + body + smuggled)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ") and b'"code":"bad_json"' in answer
    assert answer.count(b"HTTP/1.1") == 1
