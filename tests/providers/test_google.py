"""Gemini's own wire: what it is asked, and what its errors mean. The rest is in the contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.run_errors import UpstreamAuth, UpstreamRateLimited, UpstreamRejected
from app.core.usage import Usage
from app.providers.google.requests import request_body
from app.providers.wire.adapting import NO_THOUGHTS
from app.runs.ports import Provider
from tests.support.asking import ask, joined, request_of
from tests.support.upstream import Exchange, Upstream, event_bytes
from tests.support.wires import BOUNDS, GOOGLE, send

THOUGHTLESS = frozenset({NO_THOUGHTS})
REFUSED = "Thinking is not enabled for models/model-1"
WHOLE = (GOOGLE.text("a"), GOOGLE.end("STOP", 5, 3))


@pytest.fixture
def provider(model_server: Upstream) -> Provider:
    return GOOGLE.provider(f"http://127.0.0.1:{model_server.port}")


def refuse(exchange: Exchange, status: str, message: str, *details: dict[str, Any]) -> None:
    code = int(status.split()[0])
    body = {"error": {"code": code, "message": message, "details": details}}
    exchange.start(status, "application/json")
    exchange.chunk(json.dumps(body, indent=2).encode())
    exchange.raw(b"0\r\n\r\n")


def turn(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text} for text in texts]}


def test_roles_are_googles() -> None:
    said = (("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c"))
    body = request_body(request_of(*said), THOUGHTLESS)

    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [turn("user", "a"), turn("model", "b"), turn("user", "c")]


def test_neighbours_of_one_role_are_one_turn() -> None:
    said = (("user", "a"), ("system", "S"), ("user", "b"), ("assistant", "c"), ("assistant", "d"))
    body = request_body(request_of(*said), THOUGHTLESS)

    assert body["contents"] == [turn("user", "a\n\nb"), turn("model", "c\n\nd")]


def test_message_without_text_is_left_out() -> None:
    said = (("system", ""), ("user", "a"), ("assistant", ""), ("user", "b"))
    body = request_body(request_of(*said), THOUGHTLESS)

    assert body == {"contents": [turn("user", "a\n\nb")], "generationConfig": {}}


def test_limits_and_temperature_go_along() -> None:
    body = request_body(request_of(temperature=0.0, max_tokens=7))

    assert body["generationConfig"] == {
        "temperature": 0.0,
        "maxOutputTokens": 7,
        "thinkingConfig": {"includeThoughts": True},
    }


@pytest.mark.parametrize(
    "model,path",
    [
        ("gemini-x", "gemini-x"),
        ("models/gemini-x", "gemini-x"),
        ("../files?key=1#:x/y", "..%2Ffiles%3Fkey%3D1%23%3Ax%2Fy"),
        ("..", ".."),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil%3A%201"),
    ],
)
def test_model_is_a_part_of_the_path_whatever_it_is(
    provider: Provider, model_server: Upstream, model: str, path: str
) -> None:
    model_server.reply = send(*WHOLE)
    ask(provider, model=model)

    request_line = model_server.exchanges[0].head.partition("\r\n")[0]
    assert request_line == (f"POST /v1beta/models/{path}:streamGenerateContent?alt=sse HTTP/1.1")


def test_prompt_that_is_blocked_is_filtered(provider: Provider, model_server: Upstream) -> None:
    usage = {"promptTokenCount": 5}
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage}
    model_server.reply = send(event_bytes(blocked))

    assert ask(provider) == [("finish", "content_filter"), ("usage", Usage(5, 0))]


def test_last_finish_reason_and_usage_count(provider: Provider, model_server: Upstream) -> None:
    parts = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}
    early = {"candidates": [parts], "usageMetadata": {"promptTokenCount": 5}}
    model_server.reply = send(event_bytes(early), event_bytes(early), GOOGLE.end("SAFETY", 5, 3))

    pieces = ask(provider)

    assert joined(pieces) == {
        **{"text": "aa", "reasoning": "", "finish": "content_filter"},
        "usage": Usage(5, 3),
    }
    assert [kind for kind, _ in pieces].count("finish") == 2


def test_usage_before_the_end_is_not_the_replys(provider: Provider, model_server: Upstream) -> None:
    model_server.reply = send(GOOGLE.text("a"), GOOGLE.text("b"), GOOGLE.end("STOP", 5, 3))

    assert [data for kind, data in ask(provider) if kind == "usage"] == [Usage(5, 3)]


def test_parts_that_are_no_text_are_read_over(provider: Provider, model_server: Upstream) -> None:
    parts = [{"thoughtSignature": "x"}, {"functionCall": {"name": "f"}}, {"text": ""}, {}]
    model_server.reply = send(
        event_bytes({"candidates": [{"content": {"parts": parts}}]}),
        event_bytes({"candidates": [{"content": None}]}),
        event_bytes({"candidates": [], "usageMetadata": None}),
        event_bytes({"modelVersion": "x"}),
        *WHOLE,
    )

    assert joined(ask(provider))["text"] == "a"


def test_model_without_thoughts_is_asked_for_none(
    provider: Provider, model_server: Upstream
) -> None:
    def reply(exchange: Exchange) -> None:
        if "thinkingConfig" in exchange.body["generationConfig"]:
            refuse(exchange, "400 Bad Request", REFUSED)
        else:
            send(*WHOLE)(exchange)

    model_server.reply = reply

    assert [joined(ask(provider))["text"] for _ in range(2)] == ["a", "a"]
    asked = ["thinkingConfig" in e.body["generationConfig"] for e in model_server.exchanges]
    assert asked == [True, False, False]


def test_refusal_of_thoughts_is_not_asked_about_for_ever(
    provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = lambda exchange: refuse(exchange, "400 Bad Request", REFUSED)

    with pytest.raises(UpstreamRejected):
        ask(provider)
    assert len(model_server.exchanges) == 2


def test_key_that_is_not_valid_is_a_400(provider: Provider, model_server: Upstream) -> None:
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    model_server.reply = lambda exchange: refuse(exchange, "400 Bad Request", "No.", reason)

    with pytest.raises(UpstreamAuth):
        ask(provider)


@pytest.mark.parametrize("delay,seconds", [("34s", 34), ("34.07s", 35), ("soon", None)])
def test_delay_is_in_the_body(
    provider: Provider, model_server: Upstream, delay: str, seconds: int | None
) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    model_server.reply = lambda exchange: refuse(exchange, "429 Too Many", "Slow.", info)

    with pytest.raises(UpstreamRateLimited) as limited:
        ask(provider)
    assert limited.value.retry_after_s == seconds


@pytest.mark.parametrize("key", ["a\r\nb", "\u201ckey\u201d"])
def test_key_that_cannot_be_sent_is_not_told(model_server: Upstream, key: str) -> None:
    provider = GOOGLE.make("google", key, f"http://127.0.0.1:{model_server.port}", "m", BOUNDS)

    with pytest.raises(Exception) as failed:
        ask(provider)
    assert key not in str(failed.value) and failed.value.__cause__ is None
    assert type(failed.value).__name__ == "UpstreamRefused"
