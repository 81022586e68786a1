"""The dialect of Claude's messages: `POST /v1/messages`.

Source: Claude API reference, "Messages", "Streaming messages", "Errors". Its clients cannot resume:
one that hangs up stops its run, unless it asked for the contrary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.core.entries import (
    OPAQUE,
    REASONING,
    TEXT,
    TOOL_ARGS,
    TOOL_CALL,
    TOOL_READY,
    Entry,
)
from app.core.errors import ChatError
from app.core.messages import Part
from app.core.run_errors import RunError
from app.core.tools import CLIENT
from app.dialects.anthropic.messages import conversation, hints, parameters
from app.dialects.anthropic.shapes import ClaudeEvent, ClaudeMessage, ClaudeProblem, MessagesBody
from app.dialects.client_held import HELLO, asked, explained, facts_of
from app.dialects.dialect import OPEN, Dialect, Encoder, Reply, Spoken
from app.dialects.frames import json_line, validated

TEXTS = {TEXT: ("text", "text"), REASONING: ("thinking", "thinking")}
STOP_REASONS = {
    "stop": "end_turn",
    "stopped": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def frame(kind: str, **fields: Any) -> bytes:
    """Return an event, by its name and with it."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json_line({"type": kind, **fields}))


PING = frame("ping")


class MessageEncoder(Encoder):
    """Blocks, one after another: what belongs to another than the one that is open waits for its
    end, but for texts and thoughts, which end it."""

    heartbeat = PING

    def __init__(self, reply: Reply, after: int, shows_thoughts: bool) -> None:
        self._reply = reply
        self._shows_thoughts = shows_thoughts
        self._index = -1  # of the block that is open, or was the last
        self._open: str | int | None = None  # a kind of text, or a call's number
        self._waiting: dict[int, Mapping[str, Any]] = {}  # calls, by their numbers
        if not after:
            message = {**_head(reply), "content": [], "stop_reason": None, "stop_sequence": None}
            usage = {"input_tokens": 0, "output_tokens": 0}  # the end has them
            self.opening = OPEN + frame("message_start", message={**message, "usage": usage}) + PING

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return the events of what there is a place for."""
        kind, data = entry.kind, entry.data
        if kind in TEXTS:
            return self._text(kind, data)
        if kind == OPAQUE:
            return self._wanted_back(data.get("block") or {})
        if kind == TOOL_CALL and data["source"] == CLIENT:
            return self._call(data)
        if kind == TOOL_ARGS and data["n"] == self._open:
            return self._delta("input_json", "partial_json", data["delta"])
        if kind == TOOL_READY and data["source"] == CLIENT:
            return self._ready(data)
        return b""

    def _text(self, kind: str, text: str) -> bytes:
        block, field = TEXTS[kind]
        if block == "thinking" and not self._shows_thoughts:
            return b""
        before = b""
        if self._open != block:
            empty = {"signature": ""} if block == "thinking" else {}
            before = self._close() + self._begin(block, {"type": block, field: "", **empty})
        return before + self._delta(block, field, text)

    def _wanted_back(self, block: Mapping[str, Any]) -> bytes:
        """Return what a client has to send back: a signature in its place, or hidden thoughts."""
        if not self._shows_thoughts:
            return b""
        if block.get("type") == "redacted_thinking":
            hidden = {"type": "redacted_thinking", "data": block["data"]}
            return self._close() + self._begin("redacted_thinking", hidden) + self._close()
        if block.get("type") == "thinking" and self._open == "thinking":
            return self._delta("signature", "signature", block["signature"]) + self._close()
        return b""

    def _call(self, call: Mapping[str, Any]) -> bytes:
        if isinstance(self._open, int):
            self._waiting[call["n"]] = call
            return b""
        return self._close() + self._begin_call(call)

    def _begin_call(self, call: Mapping[str, Any]) -> bytes:
        names = {"id": call["call_id"], "name": call["name"]}
        return self._begin(call["n"], {"type": "tool_use", **names, "input": {}})

    def _ready(self, call: Mapping[str, Any]) -> bytes:
        """Return the end of a call; of one that waited, all of it."""
        if self._waiting.pop(call["n"], None) is None:
            return self._close() if self._open == call["n"] else b""
        whole = self._begin_call(call) + self._delta("input_json", "partial_json", _written(call))
        return self._close() + whole + self._close()

    def _begin(self, what: str | int, block: Mapping[str, Any]) -> bytes:
        self._open = what
        self._index += 1
        return frame("content_block_start", index=self._index, content_block=block)

    def _delta(self, kind: str, field: str, said: str) -> bytes:
        delta = {"type": f"{kind}_delta", field: said}
        return frame("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return frame("content_block_stop", index=self._index)

    def ending(self, entry: Entry) -> bytes:
        """Return the last events, or the error."""
        end = entry.data
        if end["error"]:
            problem = problem_of(RunError.of_end(end["error"]))
            return frame(**{"kind": problem.pop("type"), **problem})
        delta = {"stop_reason": STOP_REASONS[end["finish_reason"]], "stop_sequence": None}
        usage = _usage(end)
        return self._close() + frame("message_delta", delta=delta, usage=usage) + STOP


STOP = frame("message_stop")


def _written(call: Mapping[str, Any]) -> str:
    """Return a call's arguments as they are sent."""
    invalid = call.get("invalid")
    return invalid if invalid is not None else orjson.dumps(call.get("input", {})).decode()


def _head(reply: Reply) -> dict[str, Any]:
    names = {"id": f"msg_{reply.record.id}", "type": "message", "role": "assistant"}
    return {**names, "model": reply.answerer.model}


def _usage(end: Mapping[str, Any]) -> dict[str, int]:
    return {name: end["usage"][name] for name in ("input_tokens", "output_tokens")}


class ClaudeMessages(Dialect):
    """The dialect of Claude's messages."""

    name = "anthropic_messages"
    body = MessagesBody
    event = ClaudeEvent
    answer = ClaudeMessage
    problem = ClaudeProblem
    examples = (
        {"model": "demo", "max_tokens": 1024, "messages": HELLO, "stream": True},
        {"model": "demo", "max_tokens": 1024, "messages": HELLO, "system": "Be brief."},
    )
    holds_headers = True

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(MessagesBody, body)
        request = asked(
            conversation(said),
            "messages",
            model=said.model,
            temperature=said.temperature,
            max_tokens=said.max_tokens,
            parameters=parameters(said),
            hints=hints(said),
            server_tools=tuple(said.server_tools or ()),
            stop_when_unwatched=said.on_disconnect != "continue",
        )
        thinks = said.thinking is not None and said.thinking.type in {"enabled", "adaptive"}
        return Spoken(self, request, {"shows_thoughts": thinks}, streams=bool(said.stream))

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder."""
        return MessageEncoder(reply, after, options.get("shows_thoughts", False))

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the message."""
        shows_thoughts = options.get("shows_thoughts", False)
        content = [
            block
            for part in reply.log.content()
            if (block := _block(part, shows_thoughts)) is not None
        ]
        end = reply.ended
        stop = {"stop_reason": STOP_REASONS[end["finish_reason"]], "stop_sequence": None}
        return {**_head(reply), "content": content, **stop, "usage": _usage(end)}

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the body that Anthropic's SDKs make their exceptions of."""
        return problem_of(error)


def _block(part: Part, shows_thoughts: bool) -> dict[str, Any] | None:
    kind = part["type"]
    if kind == "text" and part["text"]:
        return {"type": "text", "text": part["text"]}
    if kind == "tool_call" and part["source"] == CLIENT:
        names = {"id": part["call_id"], "name": part["name"]}
        return {"type": "tool_use", **names, "input": part.get("input") or {}}
    if kind == "opaque" and shows_thoughts and "block" in part:
        return dict(part["block"])
    return None


def problem_of(error: ChatError) -> dict[str, Any]:
    """Return Anthropic's error object."""
    kind = KINDS.get(error.http_status)
    if kind is None:
        kind = "api_error" if error.http_status >= 500 else "invalid_request_error"
    fault = {"type": kind, "message": explained(error.message, error.fields)}
    return {"type": "error", "error": fault, **facts_of(error)}
