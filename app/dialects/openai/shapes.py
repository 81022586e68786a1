"""The shapes of OpenAI's chat completions; /openapi.json is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.dialects.calls import CallParameters
from app.dialects.documents.completions import TokenCounts
from app.dialects.frames import Body, OnDisconnect

MAX_TOP_LOGPROBS = 20
PARTS = (
    "A text, or parts of a user's message: `text`; `image_url` with `{url, detail}`; `file` with "
    "`{filename, file_data}`. URLs are `data:` ones with base64, `/api/attachments/<id>`, or, of "
    "images, `https:` ones."
)
Penalty = Annotated[float, Field(ge=-2, le=2)]
Longest = Annotated[int, Field(ge=-1, le=10_000_000)]


class StreamOptions(Body):
    """What the stream is to have besides the text."""

    include_usage: bool | None = False


class CompletionMessage(Body):
    """One message: a text, or parts `text`, `image_url` and `file`, the latter two of the user."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[str | list[dict[str, Any]] | None, Field(description=PARTS)] = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    images: list[dict[str, Any]] | None = None


class CompletionBody(CallParameters):
    """The body of `POST /v1/chat/completions`."""

    model: str
    messages: Annotated[list[CompletionMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Longest | None = None
    max_completion_tokens: Longest | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    modalities: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    server_tools: list[str] | None = None
    on_disconnect: OnDisconnect | None = "stop"


class CalledFunction(TypedDict):
    """What is called; of a chunk, a piece of it."""

    name: NotRequired[str]
    arguments: str


class CallDelta(TypedDict):
    """A piece of a call; its id and name are in the first."""

    index: int
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: CalledFunction
    extra_content: NotRequired[dict[str, Any]]  # to be sent back with the call, as it is


class ImageUrl(TypedDict):
    """Where a picture is."""

    url: str


class MadeImage(TypedDict):
    """A picture that the model made."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Delta(TypedDict):
    """What a chunk adds to the message."""

    role: NotRequired[Literal["assistant"]]
    content: NotRequired[str]
    reasoning_content: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[CallDelta]]
    images: NotRequired[list[MadeImage]]


class ChunkChoice(TypedDict):
    """The one choice of a chunk."""

    index: Literal[0]
    delta: Delta
    finish_reason: str | None


class CompletionChunk(TypedDict):
    """One chunk of the stream."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: NotRequired[TokenCounts | None]


class CompletionProblemDetails(TypedDict):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str


class CompletionProblem(TypedDict):
    """An answer, or a last event, that is an error."""

    error: CompletionProblemDetails


class AnswerCall(TypedDict):
    """One call."""

    id: str
    type: Literal["function"]
    function: CalledFunction
    extra_content: NotRequired[dict[str, Any]]


class AnswerMessage(TypedDict):
    """The reply."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: NotRequired[list[AnswerCall]]
    images: NotRequired[list[MadeImage]]


class AnswerChoice(TypedDict):
    """The one choice of an answer."""

    index: Literal[0]
    message: AnswerMessage
    logprobs: dict[str, Any] | None
    finish_reason: str


class Completion(TypedDict):
    """The reply that was not streamed."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[AnswerChoice]
    usage: TokenCounts
