"""The dialect of OpenAI's older completions: `POST /v1/completions`, a prompt instead of messages.

Source: OpenAI API reference, "Create completion". What its clients say otherwise is as in chats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.chats.request import ChatRequest
from app.core.entries import TEXT
from app.core.errors import ChatError, InvalidRequest
from app.core.messages import text_parts
from app.dialects.client_held import token_counts, unsupported
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken
from app.dialects.documents.completions import TokenCounts
from app.dialects.frames import Body, OnDisconnect, Said, validated
from app.dialects.openai.chat import (
    LAST_DATA,
    ChunkEncoder,
    error_details,
    longest,
    passed_on,
    reason_of,
    wants_usage,
)
from app.dialects.openai.shapes import CompletionProblem, Longest, Penalty, StreamOptions

ONE_PROMPT = "this server takes one prompt, in plain words"
NO_PLACE = "this server answers a prompt with text only"
REFUSED = ("echo", "logprobs", "suffix")


class PromptCompletionBody(Body):
    """The body of `POST /v1/completions`."""

    model: str
    prompt: Said | Annotated[list[Said], Field(min_length=1, max_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Longest | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    best_of: Annotated[int, Field(ge=0, le=20)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | list[str] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    on_disconnect: OnDisconnect | None = "stop"


class PromptChoice(TypedDict):
    """The one choice of an answer, or of a chunk."""

    text: str
    index: Literal[0]
    logprobs: None
    finish_reason: str | None


class PromptCompletion(TypedDict):
    """The reply, or a chunk of it."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[PromptChoice]
    usage: NotRequired[TokenCounts | None]


class PromptCompletionEncoder(ChunkEncoder):
    """A choice is a text; there is no place for anything else."""

    def __init__(self, reply: Reply, include_usage: bool) -> None:
        super().__init__(base_of(reply), include_usage)

    def choice(self, kind: str, said: str, reason: str | None = None) -> dict[str, Any] | None:
        """Return a text's."""
        return choice(said, reason) if kind == TEXT else None


class OpenAICompletions(Dialect):
    """The dialect of OpenAI's older completions."""

    name = "openai_completions"
    body = PromptCompletionBody
    event = PromptCompletion | CompletionProblem
    answer = PromptCompletion
    problem = CompletionProblem
    examples = (
        {"model": "demo", "prompt": "Hello", "stream": True},
        {"model": "demo", "prompt": ["Hello"]},
    )
    last_data = LAST_DATA
    holds_headers = True

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        _check_prompt(body.get("prompt", ""))
        said = validated(PromptCompletionBody, body)
        for name in REFUSED:
            if body.get(name):
                raise unsupported(name, NO_PLACE)
        if said.best_of is not None and said.best_of > 1:
            raise unsupported("best_of", "this server asks for one reply")
        in_list = not isinstance(said.prompt, str)
        prompt = "".join(said.prompt)
        name = "prompt.0" if in_list else "prompt"
        request = ChatRequest(
            text_parts(prompt),
            model=said.model,
            temperature=said.temperature,
            max_tokens=longest(said.max_tokens),
            stop_when_unwatched=said.on_disconnect != "continue",
            listed=False,
            parameters=passed_on(body, said.n),
            names={"message": name, "history": "prompt"},
        )
        usage = wants_usage(said.stream_options)
        return Spoken(self, request, {"include_usage": usage}, streams=bool(said.stream))

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; it is the same from any cursor on."""
        return PromptCompletionEncoder(reply, options.get("include_usage", False))

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer without `stream`."""
        end = reply.ended
        return {
            **base_of(reply),
            "choices": [choice(reply.log.text(), reason_of(end))],
            "usage": token_counts(end["usage"]),
        }

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the body that OpenAI's SDKs make their exceptions of."""
        return {"error": error_details(error)}


def base_of(reply: Reply) -> dict[str, Any]:
    """Return what all chunks of a run have."""
    return {
        "id": f"cmpl-{reply.record.id}",
        "object": "text_completion",
        "created": int(reply.record.created_at),
        "model": reply.answerer.model,
    }


def choice(text: str, finish_reason: str | None) -> dict[str, Any]:
    """Return the one choice."""
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish_reason}


def _check_prompt(prompt: Any) -> None:
    """Refuse what OpenAI takes besides one text: several, and tokens. Raises InvalidRequest,
    UnsupportedParameter."""
    if not isinstance(prompt, list):
        if not isinstance(prompt, str):
            raise InvalidRequest({"prompt": "must be a text, or a list of one"})
        return
    if not prompt:
        raise InvalidRequest({"prompt": "must not be empty"})
    if len(prompt) > 1 or not isinstance(prompt[0], str):
        raise unsupported("prompt", ONE_PROMPT)
