"""Ollama's own Python client, its host being ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import ollama
import pytest

from tests.e2e.test_streaming import AWKWARD, in_lockstep
from tests.support.server import Server

ASKED = [{"role": "user", "content": "go"}]


@pytest.fixture
def client(server: Server) -> Iterator[ollama.Client]:
    made = ollama.Client(host=f"{server.url}/ollama", timeout=20)
    yield made
    made._client.close()


@pytest.fixture
def ask(client) -> Callable[..., Any]:
    """Ask for a chat, whole unless told otherwise."""
    return lambda **options: client.chat(**{"model": "any/model", "messages": ASKED, **options})


def test_a_stream_comes_piece_by_piece(upstream, ask):
    may_send = threading.Semaphore(1)
    upstream.reply = in_lockstep(AWKWARD, may_send)
    parts = ask(stream=True)
    texts = (part.message.content for part in parts if part.message.content)
    for text in AWKWARD:
        assert next(texts) == text
        may_send.release()
    assert list(texts) == []


def test_the_last_part_has_the_counts(ask):
    *pieces, last = ask(stream=True)
    assert [part.done for part in pieces] == [False] * len(pieces)
    assert (last.done, last.done_reason, last.message.content) == (True, "stop", "")
    assert (last.prompt_eval_count, last.eval_count) == (5, 2)
    assert last.total_duration > 0 and last.model == "any/model"


def test_a_whole_answer(ask):
    answer = ask()
    assert (answer.message.role, answer.message.content) == ("assistant", "Hello there")
    assert answer.done is True


def test_options_reach_the_model(upstream, ask):
    history = [{"role": "system", "content": "Be brief."}, *ASKED]
    ask(messages=history, options={"temperature": 0.5, "num_predict": 9, "num_ctx": 4096})
    body = upstream.exchanges[0].body
    assert (body["temperature"], body["max_tokens"]) == (0.5, 9)
    assert body["messages"] == history


def test_what_is_no_picture_is_refused(upstream, ask):
    image = {"role": "user", "content": "see", "images": ["AAAA"]}
    with pytest.raises(ollama.ResponseError) as refused:
        ask(messages=[image])
    assert refused.value.status_code == 415
    assert "messages.0.images.0" in refused.value.error
    assert upstream.exchanges == []


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        ("json", {"type": "json_object"}),
        (SCHEMA, {"type": "json_schema", "json_schema": {"name": "response", "schema": SCHEMA}}),
    ],
)
def test_a_format_reaches_the_model(upstream, client, ask, wanted, form):
    ask(format=wanted)
    client.generate("any/model", "go", format=wanted)
    assert [one.body["response_format"] for one in upstream.exchanges] == [form, form]


@pytest.mark.parametrize(
    ("think", "shown", "effort"),
    [(True, True, None), (False, False, None), ("high", True, "high"), (None, True, None)],
)
def test_thoughts_are_as_they_were_asked_for(upstream, ask, think, shown, effort):
    def reply(exchange):
        exchange.start()
        for delta in ({"reasoning_content": "Hm."}, {"content": "Yes."}):
            exchange.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        exchange.finish()

    upstream.reply = reply
    thoughts = "".join(part.message.thinking or "" for part in ask(stream=True, think=think))
    assert thoughts == ("Hm." if shown else "")
    assert ask(think=think).message.thinking == ("Hm." if think else None)
    assert upstream.exchanges[0].body.get("reasoning_effort") == effort


def test_a_failure_is_raised(upstream, ask):
    upstream.reply = lambda e: (e.start(), e.delta("a"), e.event({"error": {"message": "planted"}}))
    with pytest.raises(ollama.ResponseError) as failed:
        list(ask(stream=True))
    assert "planted" not in failed.value.error
    with pytest.raises(ollama.ResponseError) as failed:
        ask()
    assert failed.value.status_code == 502


def test_closing_the_stream_stops_the_run(server, upstream, ask):
    upstream.reply = lambda e: (e.start(), e.delta("a"), e.wait_closed(20))
    parts = ask(stream=True)
    assert [next(parts).message.content for _ in range(2)] == ["", "a"]
    parts.close()
    assert upstream.wait_for(1).closed.wait(30)


def test_silence_does_not_end_the_stream(lively, upstream):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a"), go.wait(20), e.delta("b"), e.finish())
    parts = ollama.Client(host=f"{lively.url}/ollama", timeout=20).chat(
        model="any/model", messages=ASKED, stream=True
    )
    texts = []
    while len(texts) < 6 or texts[-4:] != [""] * 4:  # opened, said, and then heartbeats
        texts.append(next(parts).message.content)
    assert "".join(texts) == "a"
    go.set()
    assert "".join(part.message.content for part in parts) == "b"


def test_models_are_listed_and_shown(client):
    names = [model.model for model in client.list().models]
    assert names and "demo" in names
    shown = client.show("demo")
    assert shown.capabilities == ["completion", "tools"]
    with pytest.raises(ollama.ResponseError) as refused:
        client.show("none")
    assert refused.value.status_code == 404


def test_a_prompt_is_answered(upstream, client):
    *pieces, last = client.generate("any/model", "go", system="Be brief.", stream=True)
    assert "".join(piece.response for piece in pieces) == "Hello there"
    assert (last.done, last.done_reason, last.eval_count) == (True, "stop", 2)
    assert client.generate("any/model", "go").response == "Hello there"
    said = [(one["role"], one["content"]) for one in upstream.exchanges[0].body["messages"]]
    assert said == [("system", "Be brief."), ("user", "go")]
