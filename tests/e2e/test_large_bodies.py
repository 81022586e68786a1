"""Bodies with pictures in them may be large; others may not, and not all may be at once. On both
runtimes."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from PIL import Image

from tests.support import topology
from tests.support.files import base64_of, data_url, picture
from tests.support.server import Server

MODES = ["eventlet", "gevent"]
PNG = picture()
PATH = "/v1/chat/completions"
Start = Callable[..., Server]


def asked(*urls: str, text: str = "hi", before: int = 0) -> bytes:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    history = [{"role": "user", "content": text}] * before
    now = {"role": "user", "content": [{"type": "text", "text": text}, *images]}
    return json.dumps({"model": "m", "messages": [*history, now]}).encode()


def noise(tmp_path: Any) -> str:
    """Return a picture of several megabytes."""
    path = tmp_path / "noise.png"
    Image.effect_noise((1900, 1900), 90).convert("RGB").save(path)
    return data_url(path.read_bytes())


def in_chunks(server: Server, path: str, body: bytes) -> bytes:
    """Send a body whose length is not said; return the answer."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 1_000_000):
            piece = body[at : at + 1_000_000]
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("mode", MODES)
def test_large_picture_is_taken_announced_and_in_chunks(
    start_server: Start, upstream: Any, tmp_path: Any, mode: str
) -> None:
    server = start_server(ASYNC_MODE=mode)
    body = asked(noise(tmp_path))
    assert len(body) > 4_000_000
    assert server.post(PATH, body).status == 200
    assert b" 200 OK" in in_chunks(server, PATH, body)
    for exchange in upstream.exchanges:
        _, image = exchange.body["messages"][0]["content"]
        assert image["image_url"]["url"].startswith("data:image/")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_too_large_is_said_to_be(start_server: Start, upstream: Any, mode: str) -> None:
    server = start_server(ASYNC_MODE=mode, MAX_PARTS_BODY_BYTES=3_000_000)
    url = f"data:image/png;base64,{base64_of(PNG)}{'A' * 3_000_000}"
    text = "é" * 60_000  # each text is within its own bound
    for path, body in (
        (PATH, asked(url)),
        (PATH, asked(text=text, before=11)),
        ("/api/chat", json.dumps({"message": "hi", "x": "a" * 1_000_000}).encode()),
        ("/chat/completions", asked(text="a" * 100_000, before=11)),
        ("/v1/completions", json.dumps({"prompt": "hi", "x": "a" * 1_000_000}).encode()),
    ):
        answer = server.post(path, body)
        assert (path, answer.status) == (path, 413), answer.body
    assert b" 413 " in in_chunks(server, PATH, asked(url))
    ignored = asked(data_url(PNG))[:-1] + b', "ignored": "' + b"a" * 2_000_000 + b'"}'
    assert server.post(PATH, ignored).status == 200
    assert len(upstream.exchanges) == 1
    assert server.status()["runs"]["running"] == 0


def test_large_body_that_is_no_json_is_refused(server: Server, upstream: Any) -> None:
    for body in (
        b'{"model": "m", "messages": [' + b"1," * 1_500_000 + b"1]}",
        b'{"a":' * 200 + b'"' + b"A" * 2_000_000 + b'"' + b"}" * 200,
        b'{"model": "' + b"A" * 2_000_000,
    ):
        answer = server.post(PATH, body)
        assert (answer.status, answer.code) == (400, "bad_json")
    assert upstream.exchanges == []


SIZE = 99_000_000


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@topology.in_one_process
@pytest.mark.parametrize("mode", MODES)
def test_more_than_fit_at_once_are_asked_to_come_again(
    start_server: Start, opened: ExitStack, mode: str
) -> None:
    server = start_server(ASYNC_MODE=mode, MAX_PARTS_BODY_BYTES=SIZE)

    def announced(*headers: str) -> socket.socket:
        connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
        lines = [f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {SIZE}", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection

    def told() -> bytes:
        """Return what another gets that announces as much: that it may go on, or an answer."""
        answer = b""
        with announced("Expect: 100-continue", "Connection: close") as connection:
            while b" 100 " not in answer and (piece := connection.recv(65536)):
                answer += piece
        return answer

    held = [announced() for _ in range(2)]
    for connection in held:
        connection.sendall(b" " * (SIZE - 1))
    assert server.wait_until(lambda: b" 503 " in told())
    refused = told()
    assert b"over_capacity" in refused and b"\r\nretry-after: 5\r\n" in refused.lower()
    assert server.post(PATH, asked(data_url(PNG))).status == 200  # small ones have room
    for connection in held:
        connection.close()
    assert server.wait_until(lambda: b" 100 " in told())
