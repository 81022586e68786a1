"""What schemathesis is told besides the document: how lines of JSON are read, and what makes a
request that has the right form one that is answered."""

from __future__ import annotations

import json
from typing import Any

import schemathesis

HISTORIES = ("messages", "conversation")
TEXTS = ("message", "prompt", "content")
# Honoured for some providers only; the demo is not one of them.
REFUSED = (
    *("audio", "format", "function_call", "functions", "logprobs", "n", "response_format", "tools"),
    *("best_of", "context", "echo", "images", "raw", "suffix", "template"),
    *("frequency_penalty", "logit_bias", "presence_penalty", "seed", "stop", "top_p"),
)


@schemathesis.deserializer("application/x-ndjson")
def lines_of(context: Any, response: Any) -> list[Any]:
    """Return the values of the lines."""
    return [json.loads(line) for line in response.content.split(b"\n") if line]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Mend most of the requests whose form is right: what else is refused is not in a schema."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    body = case.body
    if isinstance(body, dict) and len(json.dumps(body)) % 8:
        if case.headers:
            case.headers.pop("Last-Event-ID", None)
            case.headers.pop("Idempotency-Key", None)
        mend(body)


def mend(body: dict[str, Any]) -> None:
    """Make the body one that starts a run, if it is one that could."""
    for name in REFUSED:
        body.pop(name, None)
    for name in TEXTS:
        if name in body and not (isinstance(body[name], str) and body[name].strip()):
            body[name] = "Hello"
    body.pop("detach", None)
    if "prompt" in body:
        body.pop("conversation", None)
        body.pop("conversation_id", None)  # of a conversation that is there
    if body.get("provider"):
        body["provider"] = "demo"
    # Of messages and sessions that are there.
    for name in ("edit", "messageId", "parent_id", "regenerate", "session_must_exist"):
        body.pop(name, None)
    if "trigger" in body:
        body["trigger"] = "submit-message"
    if "input" in body:
        mend_response(body)
    for name in HISTORIES:
        if isinstance(body.get(name), list):
            body[name] = [*map(plain, body[name]), plain({})]


def mend_response(body: dict[str, Any]) -> None:
    """The same of one of OpenAI's Responses."""
    for name in ("conversation", "include", "previous_response_id", "reasoning", "store", "text"):
        body.pop(name, None)  # of what is there; for providers that take it
    said = body["input"]
    if isinstance(said, list):
        body["input"] = [{"role": "user", "content": "Hello"} for _ in said] or "Hello"
    elif not (isinstance(said, str) and said.strip()):
        body["input"] = "Hello"


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message with a role, and content, that every dialect takes."""
    if "parts" in message:
        return message
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        content = "Hello"
    parts = [{"type": "text", "text": "Hello"}]
    return {"id": "1", "role": "user", "content": content, "parts": parts}
