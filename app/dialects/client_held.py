"""What the dialects share whose clients hold the conversation themselves and send all of it each
time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.chats.request import ChatRequest
from app.core.errors import ChatError, InvalidRequest, UnsupportedParameter
from app.core.messages import ProviderMessage, text_parts
from app.core.usage import Usage
from app.dialects.frames import Body

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]


class SaidMessage(Body):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


def asked(said: Sequence[ProviderMessage], field: str, **options: Any) -> ChatRequest:
    """Return the request to answer the last of the messages. Raises InvalidRequest naming
    `field`."""
    if not said:
        raise InvalidRequest({field: "must not be empty"})
    last = said[-1]
    names = {"message": f"{field}.{len(said) - 1}.content", "history": field}
    return ChatRequest(
        last.content, role=last.role, history=tuple(said[:-1]), listed=False, names=names, **options
    )


def plain(messages: Sequence[SaidMessage]) -> list[ProviderMessage]:
    """Return the messages as a provider takes them."""
    return [ProviderMessage(message.role, text_parts(message.content)) for message in messages]


def token_counts(usage: dict[str, Any] | Usage) -> dict[str, int]:
    """Return usage by the names that OpenAI's API gave it."""
    counted = usage if isinstance(usage, Usage) else Usage.from_json(usage)
    return {
        "prompt_tokens": counted.input_tokens,
        "completion_tokens": counted.output_tokens,
        "total_tokens": counted.input_tokens + counted.output_tokens,
    }


def facts_of(error: ChatError) -> dict[str, Any]:
    """Return what a program wants to know of an error, beside its sentence."""
    return {"code": error.code, "retryable": error.retryable}


def facts_of_failure(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same of the error that a run ended with."""
    return {"code": error["code"], "retryable": error["retryable"]}


def explained(message: str, fields: dict[str, str]) -> str:
    """Return an error in one sentence, for clients that look for nothing more."""
    if not fields:
        return message
    return message + " " + "; ".join(f"{name}: {why}" for name, why in sorted(fields.items()))


def unsupported(name: str, why: str) -> UnsupportedParameter:
    """Return the error of a field that must not be ignored."""
    return UnsupportedParameter(f"`{name}` cannot be honoured here.", fields={name: why})
