"""The shapes of OpenAI's Responses; /openapi.json is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.dialects.calls import Effort
from app.dialects.frames import Body, OnDisconnect

ITEMS = (
    "A text, or items. A user's message may have parts `input_image` with `image_url`, and "
    "`input_file` with `filename` and `file_data`: URLs are `data:` ones with base64, "
    "`/api/attachments/<id>`, or, of images, `https:` ones."
)
ItemStatus = Literal["in_progress", "completed", "incomplete"]
ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]


class Reasoning(Body):
    """How much effort the model is to make; its thoughts are shown whatever `summary` says."""

    effort: Effort | None = None
    summary: str | None = None


class TextConfig(Body):
    """In what form the model answers: `format` is text, json_object or json_schema."""

    format: dict[str, Any] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ConversationId(Body):
    """A conversation, as an object."""

    id: str


class ResponsesBody(Body):
    """The body of `POST /v1/responses`."""

    model: str | None = None
    input: Annotated[
        Annotated[str, Field(json_schema_extra={"pattern": r"\S"})] | list[dict[str, Any]],
        Field(description=ITEMS),
    ]
    instructions: str | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationId | None = None
    metadata: Metadata | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    text: TextConfig | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    server_tools: list[str] | None = None
    on_disconnect: OnDisconnect | None = None


class SaidPart(TypedDict):
    """A text of a message, by one of the names that it has: `input_text`, `output_text`; or a
    refusal; or what a user has sent, by the URL of the attachment."""

    type: Literal["input_text", "output_text", "refusal", "input_image", "input_file"]
    text: NotRequired[str]
    image_url: NotRequired[str]
    detail: NotRequired[str]
    filename: NotRequired[str]
    file_url: NotRequired[str]
    annotations: NotRequired[list[Any]]
    refusal: NotRequired[str]


class MessageItem(TypedDict):
    """A message."""

    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["user", "assistant", "system", "developer"]
    content: list[SaidPart]


class SummaryPart(TypedDict):
    """Thoughts."""

    type: Literal["summary_text"]
    text: str


class ReasoningItem(TypedDict):
    """What the model thought; `encrypted_content` is to be sent back as it is."""

    id: str
    type: Literal["reasoning"]
    status: NotRequired[ItemStatus]
    summary: list[SummaryPart]
    encrypted_content: NotRequired[str]


class CallItem(TypedDict):
    """A call that the client is to run."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


class CallOutputItem(TypedDict):
    """The result of a call."""

    id: str
    type: Literal["function_call_output"]
    status: ItemStatus
    call_id: str
    output: str


Item = MessageItem | ReasoningItem | CallItem | CallOutputItem


class ResponseFault(TypedDict):
    """Why a response failed."""

    code: str
    message: str


class IncompleteDetails(TypedDict):
    """Why a response is not whole."""

    reason: Literal["max_output_tokens", "content_filter"]


class InputDetails(TypedDict):
    """Of the input's tokens; what is not counted is 0."""

    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(TypedDict):
    """Of the output's tokens; what is not counted is 0."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """What a response took."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class ConversationName(TypedDict):
    """The conversation that a response belongs to."""

    id: str


class ResponseObject(TypedDict):
    """A response, as far as it has come."""

    id: str
    object: Literal["response"]
    created_at: int
    status: ResponseStatus
    background: bool
    conversation: NotRequired[ConversationName]
    error: ResponseFault | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[Item]
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: dict[str, Any]
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float | None
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None


class ResponseEvent(TypedDict):
    """One event; what else it has depends on its type."""

    type: str
    sequence_number: int
    response: NotRequired[ResponseObject]
    output_index: NotRequired[int]
    item_id: NotRequired[str]
    item: NotRequired[Item]
    content_index: NotRequired[int]
    summary_index: NotRequired[int]
    part: NotRequired[SaidPart | SummaryPart]
    delta: NotRequired[str]
    text: NotRequired[str]
    refusal: NotRequired[str]
    arguments: NotRequired[str]
    logprobs: NotRequired[list[Any]]
