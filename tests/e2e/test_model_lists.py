"""The models of three vendors' servers, over their wires, as every client asks for them; and who is
asked for one that a single server has."""

from __future__ import annotations

import json

import pytest

from tests.support import topology
from tests.support.upstream import PLANTED_KEY, Exchange, completion, refuse

OPENAI = {"object": "list", "data": [{"id": "llama"}, {"id": "shared"}]}
CLAUDE = {"data": [{"type": "model", "id": "claude-x"}, {"type": "model", "id": "shared"}]}
GEMINI = {
    "models": [
        {"name": "models/gemini-x", "supportedGenerationMethods": ["generateContent"]},
        {"name": "models/vectors", "supportedGenerationMethods": ["embedContent"]},
    ]
}
LISTED = {"llama", "shared", "claude-x", "gemini-x"}


def listing(exchange: Exchange) -> None:
    """Answer as each vendor does, if it is asked with its key in its header."""
    head = exchange.head
    key = PLANTED_KEY.lower()
    lower = head.lower()
    if f"x-goog-api-key: {key}" in lower:
        found = GEMINI
    elif f"x-api-key: {key}" in lower:
        found = CLAUDE
    else:
        assert f"authorization: bearer {key}" in lower
        found = OPENAI
    exchange.start("200 OK", "application/json")
    exchange.chunk(json.dumps(found).encode())
    exchange.raw(b"0\r\n\r\n")


def by_route(exchange: Exchange) -> None:
    """List, or say which of the paths was asked."""
    method, path, _ = exchange.head.split("\r\n")[0].split()
    answer = listing if method == "GET" else completion(path)
    answer(exchange)


@pytest.fixture
def lister(start_one, upstream):
    upstream.reply = by_route
    origin = upstream.url.removesuffix("/v1")
    server = start_one(
        MODELS_TTL_S=300,
        OPENAI_API_KEY=PLANTED_KEY,
        OPENAI_BASE_URL=upstream.url,
        OPENAI_MODEL="own",
        OPENAI_STREAM=0,
        ANTHROPIC_API_KEY=PLANTED_KEY,
        ANTHROPIC_BASE_URL=origin,
        GEMINI_API_KEY=PLANTED_KEY,
        GEMINI_BASE_URL=f"{origin}/v1beta",
    )
    assert server.wait_until(lambda: names(server) >= LISTED)
    return server


def names(server):
    return {one["id"] for one in server.get("/v1/models").json["data"]}


@topology.in_one_process
def test_all_models_are_listed_as_each_client_asks(lister, upstream):
    listed = lister.get("/v1/models").json["data"]
    owners = {one["id"]: one["owned_by"] for one in listed}
    assert owners["shared"] == "openai"
    assert (owners["claude-x"], owners["gemini-x"]) == ("anthropic", "google")
    assert "vectors" not in owners and "own" in owners
    assert lister.get("/v1/models/claude-x").json["owned_by"] == "anthropic"
    claudes = lister.get("/v1/models", **{"anthropic-version": "2023-06-01"}).json
    ollamas = lister.get("/ollama/api/tags").json["models"]
    assert [one["id"] for one in claudes["data"]] == [one["name"] for one in ollamas]
    assert {one["name"] for one in ollamas} == set(owners)
    assert lister.post("/ollama/api/show", {"model": "llama"}).status == 200
    ours = {one["name"]: one["models"] for one in lister.get("/api/models").json["providers"]}
    assert ours["openai"] == ["own", "llama", "shared"]
    # Each was asked once.
    assert len([one for one in upstream.exchanges if one.head.startswith("GET")]) == 3


@topology.in_one_process
@pytest.mark.parametrize(
    "model, path",
    [
        ("llama", "/v1/chat/completions"),
        ("shared", "/v1/chat/completions"),
        ("nobody-knows", "/v1/chat/completions"),
        ("claude-x", "/v1/messages"),
        ("gemini-x", "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"),
    ],
)
def test_who_lists_it_is_asked(lister, upstream, model, path):
    lister.post(
        "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    )
    asked = [one.head.split()[1] for one in upstream.exchanges if one.head.startswith("POST")]
    assert asked == [path]


def test_a_server_that_lists_nothing_still_answers(start_one, upstream):
    upstream.reply = refuse("404 Not Found")
    server = start_one(
        MODELS_TTL_S=300,
        OPENAI_API_KEY=PLANTED_KEY,
        OPENAI_BASE_URL=upstream.url,
        OPENAI_MODEL="own",
    )
    assert server.wait_until(lambda: "models are not listed" in server.logs())
    assert names(server) == {"own", "demo"}
    upstream.reply = completion("Hello")
    assert PLANTED_KEY not in server.logs()
