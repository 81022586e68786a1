"""Streaming chat completions: `POST /chat/completions/stream` and `POST /chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.core.entries import TEXT, Entry
from app.core.errors import ChatError
from app.dialects.client_held import (
    HELLO,
    SaidMessage,
    asked,
    explained,
    facts_of,
    facts_of_failure,
    plain,
    token_counts,
)
from app.dialects.dialect import Answerer, Dialect, Encoder, Reply, Spoken, named_by
from app.dialects.frames import Body, OnDisconnect, event_frame, validated


class CompletionsBody(Body):
    """The whole conversation, the last message being the new one."""

    messages: list[SaidMessage]
    model: str | None = None
    provider: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    on_disconnect: OnDisconnect = "continue"


class CompletionsEvent(TypedDict):
    """A piece, or with `done` the end."""

    content: str
    done: bool
    model: str
    provider: str
    error: NotRequired[str]
    code: NotRequired[str]
    retryable: NotRequired[bool]


class TokenCounts(TypedDict):
    """Usage, as OpenAI names it."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionsAnswer(TypedDict):
    """The reply that was not streamed."""

    content: str
    role: Literal["assistant"]
    model: str
    provider: str
    usage: TokenCounts
    finish_reason: str


class Detail(TypedDict):
    """An answer that is an error."""

    detail: str
    code: str
    retryable: bool


class CompletionsEncoder(Encoder):
    """Pieces of `content`; the last event has `done`, and `error` if the run failed."""

    def __init__(self, reply: Reply) -> None:
        self._name(reply.answerer)

    def _name(self, answerer: Answerer) -> None:
        self._of = {"model": answerer.model, "provider": answerer.provider}

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a text's event."""
        if entry.kind != TEXT:
            named = named_by(entry)
            if named is not None:
                self._name(named)
            return b""
        return event_frame({"content": entry.data, "done": False, **self._of})

    def ending(self, entry: Entry) -> bytes:
        """Return the last event."""
        payload = {"content": "", "done": True, **self._of}
        error = entry.data["error"]
        if error:
            payload |= {"error": error["message"], **facts_of_failure(error)}
        return event_frame(payload)


class CompletionsStream(Dialect):
    """Streaming chat completions: events with `content`, `model` and `provider`, then `done`."""

    name = "completions_stream"
    body = CompletionsBody
    event = CompletionsEvent
    answer = CompletionsAnswer
    problem = Detail
    examples = ({"messages": HELLO},)

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest."""
        said = validated(CompletionsBody, body)
        request = asked(
            plain(said.messages),
            "messages",
            model=said.model,
            provider=said.provider,
            temperature=said.temperature,
            stop_when_unwatched=said.on_disconnect == "stop",
        )
        return Spoken(self, request)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; it is the same from any cursor on."""
        return CompletionsEncoder(reply)

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of `POST /chat/completions`."""
        end, answerer = reply.ended, reply.answerer
        return {
            "content": reply.log.text(),
            "role": "assistant",
            "model": answerer.model,
            "provider": answerer.provider,
            "usage": token_counts(end["usage"]),
            "finish_reason": end["finish_reason"],
        }

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the key that FastAPI's clients look for, and what the error is."""
        return {"detail": explained(error.message, error.fields), **facts_of(error)}
