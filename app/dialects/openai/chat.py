"""The dialect of OpenAI's chat completions: `POST /v1/chat/completions`.

Source: OpenAI API reference, "Create chat completion" and "The chat completion chunk object". Its
clients cannot resume: one that hangs up stops its run, unless it asked for the contrary.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from app.core.entries import (
    FILE,
    LOGPROBS,
    OPAQUE,
    REASONING,
    REFUSAL,
    TEXT,
    TOOL_ARGS,
    TOOL_CALL,
    Entry,
)
from app.core.errors import ChatError
from app.core.run_errors import RunError
from app.core.tools import CLIENT
from app.dialects.calls import checked_tools
from app.dialects.client_held import HELLO, asked, explained, token_counts, unsupported
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken, named_by
from app.dialects.frames import event_frame, validated
from app.dialects.openai.messages import calls_of, conversation, image_of, images_of, tokens_of
from app.dialects.openai.shapes import (
    Completion,
    CompletionBody,
    CompletionChunk,
    CompletionProblem,
    StreamOptions,
)

LAST_DATA = "[DONE]"
DONE = b"data: %s\n\n" % LAST_DATA.encode()
# Where a kind goes in a delta; reasoning where DeepSeek's API first put it.
DELTAS = {TEXT: "content", REASONING: "reasoning_content", REFUSAL: "refusal"}
PASSED_ON = (
    "frequency_penalty",
    "logit_bias",
    "presence_penalty",
    "seed",
    "stop",
    "top_p",
)
NO_LIMIT = (-1, 0)  # what some clients say for: as long as the model likes
FINISH_REASONS = {"stopped": "stop"}  # the ones of ours that OpenAI does not have
ANSWERS_TEXT = "this server answers in text"
REFUSED = {
    "audio": ANSWERS_TEXT,
    "function_call": "send `tool_choice`, which took its place",
    "functions": "send `tools`, which took their place",
}


class ChunkEncoder(Encoder):
    """Chunks of one id, then the finish reason, the usage if it was asked for, and `[DONE]`.

    A subclass says what the one choice of a chunk is.
    """

    def __init__(self, base: dict[str, Any], include_usage: bool) -> None:
        self._base = base  # what all chunks have
        self._include_usage = include_usage

    @abstractmethod
    def choice(self, kind: str, said: Any, reason: str | None = None) -> dict[str, Any] | None:
        """Return the choice of a piece, None for a kind that has no place; with a reason that of
        the end, which says nothing."""

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return the chunk of what there is a place for."""
        choice = self.choice(entry.kind, entry.data)
        if choice is not None:
            return self._chunk(choice)
        named = named_by(entry)
        if named is not None:
            self._base["model"] = named.model
        return b""

    def ending(self, entry: Entry) -> bytes:
        """Return the last chunks, or the error."""
        end = entry.data
        if end["error"]:
            return event_frame({"error": error_details(RunError.of_end(end["error"]))})
        last = self._chunk(self.choice(TEXT, "", reason_of(end)))
        if self._include_usage:
            counts = token_counts(end["usage"])
            last += event_frame({**self._base, "choices": [], "usage": counts})
        return last + DONE

    def _chunk(self, choice: dict[str, Any] | None) -> bytes:
        payload = {**self._base, "choices": [choice]}
        if self._include_usage:
            payload["usage"] = None
        return event_frame(payload)


class CompletionEncoder(ChunkEncoder):
    """A choice is a delta."""

    def __init__(self, reply: Reply, after: int, include_usage: bool) -> None:
        base = {
            "id": completion_id(reply),
            "object": "chat.completion.chunk",
            "created": int(reply.record.created_at),
            "model": reply.answerer.model,
        }
        super().__init__(base, include_usage)
        self._indexes: dict[int, int] = {}  # of the client's calls, by their numbers
        self._places: dict[str, int] = {}  # the same, by their ids
        self._extras: dict[str, Any] = {}  # what a vendor wants back of calls to come
        if not after:
            first = {"role": "assistant", "content": ""}
            choice = {"index": 0, "delta": first, "finish_reason": None}
            self.opening = self.opening + self._chunk(choice)

    def choice(self, kind: str, said: Any, reason: str | None = None) -> dict[str, Any] | None:
        """Return a delta of what it has a place for."""
        name = DELTAS.get(kind)
        if name is not None:
            return {"index": 0, "delta": {} if reason else {name: said}, "finish_reason": reason}
        if kind == FILE:
            return {"index": 0, "delta": {"images": [image_of(said)]}, "finish_reason": None}
        if kind == LOGPROBS:
            return {"index": 0, "delta": {}, "logprobs": said, "finish_reason": None}
        call = self._call(kind, said) if kind in (TOOL_CALL, TOOL_ARGS, OPAQUE) else None
        if call is None:
            return None
        return {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}

    def _call(self, kind: str, said: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a piece of a call that the client is to run; there is no place for others."""
        if kind == OPAQUE:
            return self._extra(said.get("call_id"), said.get("extra_content"))
        n = said["n"]
        if kind == TOOL_ARGS:
            if n not in self._indexes:
                return None
            return {"index": self._indexes[n], "function": {"arguments": said["delta"]}}
        if said["source"] != CLIENT:
            return None
        call_id = said["call_id"]
        index = self._indexes[n] = self._places[call_id] = len(self._indexes)
        function = {"name": said["name"], "arguments": ""}
        call = {"index": index, "id": call_id, "type": "function", "function": function}
        extra = self._extras.pop(call_id, None)
        return {**call, "extra_content": extra} if extra else call

    def _extra(self, call_id: str | None, extra: Any) -> dict[str, Any] | None:
        """Return what a vendor wants back with a call, which its client is to hold; where the call
        comes later it goes with that."""
        if call_id is None or not extra:
            return None
        if call_id not in self._places:
            self._extras[call_id] = extra
            return None
        function = {"arguments": ""}
        return {"index": self._places[call_id], "function": function, "extra_content": extra}


def reason_of(end: Mapping[str, Any]) -> str:
    """Return how the reply ended, as OpenAI says it."""
    reason: str = end["finish_reason"]
    return FINISH_REASONS.get(reason, reason)


class OpenAIChat(Dialect):
    """The dialect of OpenAI's chat completions."""

    name = "openai_chat"
    body = CompletionBody
    event = CompletionChunk | CompletionProblem
    answer = Completion
    problem = CompletionProblem
    examples = (
        {"model": "demo", "messages": HELLO, "stream": True},
        {
            "model": "demo",
            "messages": HELLO,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        {"model": "demo", "messages": HELLO},
    )
    last_data = LAST_DATA
    holds_headers = True
    takes_parts = True

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(CompletionBody, body)
        for name, why in REFUSED.items():
            if body.get(name) and not _asks_for_none(name, body):
                raise unsupported(name, why)
        if set(said.modalities or ()) - {"text"}:
            raise unsupported("modalities", ANSWERS_TEXT)
        request = asked(
            conversation(said.messages),
            "messages",
            model=said.model,
            temperature=said.temperature,
            max_tokens=longest(said.max_completion_tokens, said.max_tokens),
            parameters=_parameters(said, body),
            server_tools=tuple(said.server_tools or ()),
            stop_when_unwatched=said.on_disconnect != "continue",
        )
        usage = wants_usage(said.stream_options)
        return Spoken(self, request, {"include_usage": usage}, streams=bool(said.stream))

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder."""
        return CompletionEncoder(reply, after, options.get("include_usage", False))

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer without `stream`."""
        end = reply.ended
        text, calls = reply.log.text(), calls_of(reply)
        content = None if calls and not text else text
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        if images := images_of(reply):
            message["images"] = images
        reason, tokens = reason_of(end), tokens_of(reply)
        return {
            "id": completion_id(reply),
            "object": "chat.completion",
            "created": int(reply.record.created_at),
            "model": reply.answerer.model,
            "choices": [
                {"index": 0, "message": message, "logprobs": tokens, "finish_reason": reason}
            ],
            "usage": token_counts(end["usage"]),
        }

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the body that OpenAI's SDKs make their exceptions of."""
        return {"error": error_details(error)}


def completion_id(reply: Reply) -> str:
    """Return the id that all chunks of a run have."""
    return f"chatcmpl-{reply.record.id}"


def error_details(error: ChatError) -> dict[str, Any]:
    """Return OpenAI's error object."""
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    other = "server_error" if error.http_status >= 500 else "invalid_request_error"
    return {
        "message": explained(error.message, error.fields),
        "type": kinds.get(error.http_status, other),
        "param": next(iter(sorted(error.fields)), None),
        "code": error.code,
    }


def longest(*asked: int | None) -> int | None:
    """Return the first that is a limit."""
    return next((most for most in asked if most is not None and most not in NO_LIMIT), None)


def wants_usage(options: StreamOptions | None) -> bool:
    """Whether the stream's last chunk is to tell the usage."""
    return options is not None and bool(options.include_usage)


def _asks_for_none(name: str, body: Mapping[str, Any]) -> bool:
    """Whether functions are named, if at all, only to say that none is to be called."""
    return name.startswith("function") and body.get("function_call") == "none"


def passed_on(body: Mapping[str, Any], n: int | None) -> dict[str, Any]:
    """Return what a provider may take as it is; only what differs from the default."""
    found = {name: body[name] for name in PASSED_ON if body.get(name) is not None}
    if n is not None and n > 1:
        found["n"] = n
    return found


def _parameters(said: CompletionBody, body: Mapping[str, Any]) -> dict[str, Any]:
    found = {**passed_on(body, said.n), **said.passed_on(checked_tools(said.tools))}
    if said.logprobs:
        found["logprobs"] = True
        if said.top_logprobs:
            found["top_logprobs"] = said.top_logprobs
    return found
