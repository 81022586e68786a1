"""A model server that calls tools and tells what came of it, in OpenAI's words and in Ollama's,
streamed or whole as it is asked: what a client makes of it through Tandem must be what it makes of
it alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.upstream import Exchange

CITIES = ("Rom", "Bonn")
DEGREES = {"Rom": 20, "Bonn": 9}
THINKS = "Let me see."
FINAL = "Rom has 20 degrees, Bonn has 9."
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Tell the weather.", "parameters": SCHEMA},
}
MODEL = "any-model"


def weather(city: str) -> dict[str, Any]:
    """Tell the weather.

    Args:
        city: Where.
    """
    return {"city": city, "degrees": DEGREES[city]}


RESULTS = [weather(city) for city in CITIES]


def round_of_tools(exchange: Exchange) -> None:
    """Call the tool for two cities, or where there are results say the last word."""
    answered = any(one["role"] == "tool" for one in exchange.body["messages"])
    path = exchange.head.split()[1]
    answer = _ollama if path.endswith("/api/chat") else _openai
    answer(exchange, "" if answered else THINKS, () if answered else CITIES)


def _openai(exchange: Exchange, text: str, cities: Sequence[str]) -> None:
    calls = [
        {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": "weather", "arguments": json.dumps({"city": city})},
        }
        for index, city in enumerate(cities)
    ]
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    reason = "tool_calls" if calls else "stop"
    said = text or FINAL
    common = {"id": "c-1", "model": MODEL, "created": 1}
    if not exchange.body.get("stream"):
        message: dict[str, Any] = {"role": "assistant", "content": said}
        if calls:
            message["tool_calls"] = [_without_index(call) for call in calls]
        choice = {"index": 0, "message": message, "finish_reason": reason}
        _whole(
            exchange, {**common, "object": "chat.completion", "choices": [choice], "usage": usage}
        )
        return
    exchange.start()
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, {"content": said}]
    for call in calls:
        args = call["function"]["arguments"]
        first = {**call, "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [first]})
        for piece in (args[:6], args[6:]):
            delta = {"index": call["index"], "function": {"arguments": piece}}
            deltas.append({"tool_calls": [delta]})
    for delta in deltas:
        _chunk(exchange, common, delta, None)
    _chunk(exchange, common, {}, reason)
    if (exchange.body.get("stream_options") or {}).get("include_usage"):
        exchange.event({**common, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    exchange.chunk(b"data: [DONE]\n\n")
    exchange.raw(b"0\r\n\r\n")


def _without_index(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "index"}


def _chunk(exchange: Exchange, common: dict[str, Any], delta: Any, reason: str | None) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    exchange.event({**common, "object": "chat.completion.chunk", "choices": [choice]})


def _whole(exchange: Exchange, body: Any) -> None:
    exchange.start("200 OK", "application/json")
    exchange.chunk(json.dumps(body).encode())
    exchange.raw(b"0\r\n\r\n")


def _ollama(exchange: Exchange, text: str, cities: Sequence[str]) -> None:
    calls = [
        {"function": {"index": index, "name": "weather", "arguments": {"city": city}}}
        for index, city in enumerate(cities)
    ]
    common = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z"}
    message: dict[str, Any] = {"role": "assistant", "content": text or FINAL}
    if calls:
        message["tool_calls"] = calls
    figures = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2}
    if exchange.body.get("stream") is False:
        _whole(exchange, {**common, "message": message, **figures})
        return
    exchange.start("200 OK", "application/x-ndjson")
    for line in (
        {**common, "message": message, "done": False},
        {**common, "message": {"role": "assistant", "content": ""}, **figures},
    ):
        exchange.chunk(json.dumps(line).encode() + b"\n")
    exchange.raw(b"0\r\n\r\n")
