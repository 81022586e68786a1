"""The dialect of Claude's messages: `POST /v1/messages`.

Source: Claude API reference, "Messages", "Streaming messages", "Errors". Its clients cannot resume:
one that hangs up stops its run, unless it asked for the contrary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    joined,
)
from app.core.errors import ChatError
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
    """Blocks, one after another: what comes while a call is open and is not that call's waits for
    its end."""

    heartbeat = PING

    def __init__(self, reply: Reply, after: int, shows_thoughts: bool) -> None:
        self._reply = reply
        self._shows_thoughts = shows_thoughts
        self._index = -1  # of the block that is open, or was the last
        self._open: str | int | None = None  # a kind of text, or a call's number
        self._has_args = False  # the call that is open
        self._waiting: list[Entry] = []
        if not after:
            message = {**_head(reply), "content": [], "stop_reason": None, "stop_sequence": None}
            usage = {"input_tokens": 0, "output_tokens": 0}  # the end has them
            self.opening = OPEN + frame("message_start", message={**message, "usage": usage}) + PING

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return the events of what there is a place for."""
        kind, data = entry.kind, entry.data
        if isinstance(self._open, int):
            return self._beside_call(self._open, entry)
        if kind in TEXTS:
            return self._text(kind, data)
        if kind == OPAQUE:
            return self._wanted_back(data.get("block") or {})
        if kind == TOOL_CALL and data["source"] == CLIENT:
            return self._close() + self._begin_call(data)
        return b""

    def _beside_call(self, number: int, entry: Entry) -> bytes:
        kind, data = entry.kind, entry.data
        is_its = kind in {TOOL_ARGS, TOOL_READY} and data["n"] == number
        if not is_its:
            self._waiting.append(entry)
            return b""
        if kind == TOOL_ARGS:
            self._has_args = True
            return self._delta("input_json", "partial_json", data["delta"])
        whole = b""
        if not self._has_args:  # of a log that was folded
            whole = self._delta("input_json", "partial_json", _written(data))
        return whole + self._close() + self._waited()

    def _waited(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join([self.piece(entry, 0) for entry in waiting])

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
        if block.get("type") == "thinking":
            is_said = self._open == "thinking"
            thought = b"" if is_said else self._text(REASONING, block["thinking"])
            signature = self._delta("signature", "signature", block["signature"])
            return thought + signature + self._close()
        return b""

    def _begin_call(self, call: Mapping[str, Any]) -> bytes:
        self._has_args = False
        names = {"id": call["call_id"], "name": call["name"]}
        return self._begin(call["n"], {"type": "tool_use", **names, "input": {}})

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
            return frame("error", **_fault(RunError.of_end(end["error"])))
        delta = {"stop_reason": STOP_REASONS[end["finish_reason"]], "stop_sequence": None}
        usage = _usage(end)
        last = self._close() + self._waited()
        return last + self._close() + frame("message_delta", delta=delta, usage=usage) + STOP


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
    takes_parts = True

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
        content = _blocks(reply.log.since(0), options.get("shows_thoughts", False))
        end = reply.ended
        stop = {"stop_reason": STOP_REASONS[end["finish_reason"]], "stop_sequence": None}
        return {**_head(reply), "content": content, **stop, "usage": _usage(end)}

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the body that Anthropic's SDKs make their exceptions of."""
        return problem_of(error)


def _blocks(entries: Iterable[Entry], shows_thoughts: bool) -> list[dict[str, Any]]:
    """Return what a message has of a reply's entries."""
    blocks: list[dict[str, Any]] = []
    inputs: dict[int, dict[str, Any]] = {}
    for entry, _ in joined(entry for entry in entries if _has_place(entry, shows_thoughts)):
        kind, data = entry.kind, entry.data
        if kind == TEXT:
            blocks.append({"type": "text", "text": data})
        elif kind == REASONING:
            blocks.append({"type": "thinking", "thinking": data, "signature": ""})
        elif kind == TOOL_CALL:
            inputs[data["n"]] = {}
            names = {"id": data["call_id"], "name": data["name"]}
            blocks.append({"type": "tool_use", **names, "input": inputs[data["n"]]})
        elif kind == TOOL_READY:
            inputs[data["n"]].update(data.get("input") or {})
        else:
            block = dict(data["block"])
            if block["type"] == "thinking" and blocks and blocks[-1].get("signature") == "":
                blocks[-1] |= {"signature": block["signature"]}
            else:
                blocks.append(block)
    return blocks


def _has_place(entry: Entry, shows_thoughts: bool) -> bool:
    kind, data = entry.kind, entry.data
    if kind in {TOOL_CALL, TOOL_READY}:
        return bool(data["source"] == CLIENT)
    return kind == TEXT or (
        shows_thoughts and (kind == REASONING or (kind == OPAQUE and "block" in data))
    )


def problem_of(error: ChatError) -> dict[str, Any]:
    """Return Anthropic's error object."""
    return {"type": "error", **_fault(error)}


def _fault(error: ChatError) -> dict[str, Any]:
    kind = KINDS.get(error.http_status)
    if kind is None:
        kind = "api_error" if error.http_status >= 500 else "invalid_request_error"
    fault = {"type": kind, "message": explained(error.message, error.fields)}
    return {"error": fault, **facts_of(error)}
