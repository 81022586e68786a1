"""A client that closes its side once it has asked (shutdown, as `nc -N` does) still reads, and gets
its answer; one that has closed both is gone. Which it is shows by what it is sent."""

from __future__ import annotations

import json
import re
import socket
import threading

import pytest

from tests.support.upstream import PLANTED_KEY, silent

PING = b": ping"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NATIVE = {"message": "go", "on_disconnect": "stop"}
OPENAI = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "go"}]}
PLAIN = b"Accept: text/plain\r\n"
# What is asked, and what it is sent to see whether it is there.
ASKED = {
    "streamed": ("/api/chat/stream", NATIVE, b"", PING),
    "plain text": ("/api/chat/stream", NATIVE, PLAIN, CONTINUE),
    "whole": ("/api/chat", NATIVE, b"", CONTINUE),
    "whole, going on": ("/api/chat", {"message": "go"}, b"", CONTINUE),
    "OpenAI's whole": ("/v1/chat/completions", OPENAI, b"", CONTINUE),
    "OpenAI's, headers held": ("/v1/chat/completions", {**OPENAI, "stream": True}, b"", CONTINUE),
}
CASES = [pytest.param(*asked, id=name) for name, asked in ASKED.items()]
STOPPING = [case for case in CASES if case.id != "whole, going on"]


@pytest.fixture(scope="module")
def lively(start_one):
    return start_one(HEARTBEAT_S=1, OPENAI_API_KEY=PLANTED_KEY)


@pytest.fixture
def held(upstream):
    """A reply whose only piece waits."""
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), go.wait(30), e.delta("Hello there"), e.finish())
    yield go
    go.set()


def ask(server, path, body, headers, version=b"1.1"):
    data = json.dumps(body).encode()
    head = b"POST %s HTTP/%s\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(head % (path.encode(), version, headers, len(data)) + data)
    connection.shutdown(socket.SHUT_WR)
    return connection


def read_until(connection, mark):
    received = b""
    while mark not in received:
        data = connection.recv(65536)
        assert data, received
        received += data
    return received


@pytest.mark.parametrize("path, body, headers, probe", CASES)
def test_who_has_closed_its_side_gets_its_answer(lively, held, path, body, headers, probe):
    with ask(lively, path, body, headers) as connection:
        received = read_until(connection, probe)
        held.set()
        received += b"".join(iter(lambda: connection.recv(65536), b""))
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", received)
    assert statuses == ([b"100", b"200"] if probe == CONTINUE else [b"200"])
    assert b"Hello there" in received


@pytest.mark.parametrize("path, body, headers, probe", STOPPING)
def test_who_has_closed_both_has_its_reply_stopped(lively, upstream, path, body, headers, probe):
    upstream.reply = silent
    connection = ask(lively, path, body, headers)
    exchange = upstream.wait_for(1)
    connection.close()
    assert exchange.closed.wait(30)


def test_an_old_client_that_has_closed_its_side_gets_its_answer(lively, upstream, held):
    """HTTP/1.0 knows no 100: it is waited for."""
    with ask(lively, "/api/chat", NATIVE, b"", b"1.0") as connection:
        upstream.wait_for(1)
        held.set()
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 200 " in received.split(b"\r\n")[0] and b"Hello there" in received
