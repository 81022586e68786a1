"""What an upstream says that calls tools, in OpenAI's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.upstream import Exchange, Reply


def call_delta(
    index: int, name: str = "", args: str = "", call_id: str | None = None
) -> dict[str, Any]:
    """Return a chunk with a piece of one call."""
    function = {"arguments": args, **({"name": name} if name else {})}
    call: dict[str, Any] = {"index": index, "function": function}
    if call_id:
        call.update(id=call_id, type="function")
    return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}


def calls(*wanted: tuple[str, Mapping[str, Any]], text: str = "") -> Reply:
    """Return a reply that says a text and calls each of these tools, arguments in two pieces."""

    def reply(exchange: Exchange) -> None:
        exchange.start()
        if text:
            exchange.delta(text)
        asked = len(exchange.body["messages"])
        for index, (name, given) in enumerate(wanted):
            args = json.dumps(given)
            exchange.event(call_delta(index, name, call_id=f"call-{asked}-{index}"))
            exchange.event(call_delta(index, args=args[: len(args) // 2]))
            exchange.event(call_delta(index, args=args[len(args) // 2 :]))
        exchange.finish("tool_calls")

    return reply


def last_results(exchange: Exchange) -> dict[str, str]:
    """Return the results that a request ends with, by call."""
    messages = exchange.body["messages"]
    return {one["tool_call_id"]: one["content"] for one in messages if one["role"] == "tool"}
