"""Looking for an Ollama: whoever answers, a start goes on."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from app.providers.local import find_model
from tests.support.upstream import Exchange, Reply, Upstream


def tags(*models: Any) -> bytes:
    return json.dumps({"models": models}).encode()


def answer(body: bytes, status: str = "200 OK") -> Reply:
    def reply(exchange: Exchange) -> None:
        exchange.start(status, "application/json")
        exchange.chunk(body)
        exchange.raw(b"0\r\n\r\n")

    return reply


def raw(data: bytes) -> Reply:
    def reply(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.cut()

    return reply


def found(server: Upstream, reply: Reply, timeout_s: float = 5) -> str | None:
    server.reply = reply
    return find_model(f"http://127.0.0.1:{server.port}", timeout_s)


def test_first_model_is_found(model_server: Upstream) -> None:
    reply = answer(tags({"name": "llama3:latest"}, {"name": "qwen3:4b"}))

    assert found(model_server, reply) == "llama3:latest"
    assert model_server.exchanges[0].head.startswith("GET /api/tags HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "model",
    [
        {"name": "nomic-embed-text:latest", "details": {"family": "nomic-bert"}},
        {"name": "all-minilm:latest", "details": {"family": "bert"}},
        {"name": "x:latest", "capabilities": ["embedding"]},
        {"name": ""},
        {"name": 5},
        {},
        None,
    ],
)
def test_model_that_cannot_chat_is_passed_over(model_server: Upstream, model: Any) -> None:
    chats = {"name": "gemma3:4b", "details": {"family": "gemma3"}, "capabilities": ["completion"]}

    assert found(model_server, answer(tags(model, chats))) == "gemma3:4b"


@pytest.mark.parametrize("details", [None, 5, {}, {"family": None}])
def test_details_are_not_needed(model_server: Upstream, details: Any) -> None:
    assert found(model_server, answer(tags({"name": "m", "details": details}))) == "m"


NO_OLLAMA = {
    "none installed": answer(tags()),
    "404": answer(tags({"name": "m"}), "404 Not Found"),
    "redirect": answer(tags({"name": "m"}), "302 Found"),
    "HTML": answer(b"<html>"),
    "a list": answer(b"[]"),
    "nothing": answer(b""),
    "no models": answer(b"{}"),
    "models that are none": answer(b'{"models": 5}'),
    "null": answer(b'{"models": null}'),
    "not UTF-8": answer(b'{"models": [{"name": "\xff"}]}'),
    "hangs up": raw(b""),
    "cut": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"),
    "not HTTP": raw(b"SSH-2.0-x\r\n"),
    "too much": answer(b" " * 2_000_000),
}


@pytest.mark.parametrize("server", NO_OLLAMA)
def test_whoever_else_answers_is_no_ollama(model_server: Upstream, server: str) -> None:
    assert found(model_server, NO_OLLAMA[server]) is None


def test_nobody_is_no_ollama() -> None:
    assert find_model("http://127.0.0.1:1", 5) is None


def test_silence_is_no_ollama(model_server: Upstream) -> None:
    assert found(model_server, lambda exchange: exchange.wait_closed(10), 0.05) is None
    assert model_server.exchanges[0].closed.wait(5)


def test_user_of_the_address_is_sent(model_server: Upstream) -> None:
    model_server.reply = answer(tags({"name": "m"}))

    assert find_model(f"http://us:p%40w@127.0.0.1:{model_server.port}", 5) == "m"
    token = b64encode(b"us:p@w").decode()
    assert f"\r\nAuthorization: Basic {token}" in model_server.exchanges[0].head


def test_no_proxy_is_asked(model_server: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert found(model_server, answer(tags({"name": "m"}))) == "m"
