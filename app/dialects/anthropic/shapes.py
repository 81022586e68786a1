"""The shapes of Claude's messages; /openapi.json is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.dialects.frames import Body, OnDisconnect

BLOCKS = (
    "A text, or blocks: a user's may be `image`, whose source is `base64` or `url`, and "
    "`document`, whose source is `base64` of a PDF or `text`."
)
StopReason = Literal["end_turn", "max_tokens", "tool_use", "refusal"]


class SentMessage(Body):
    """One message: a text, or blocks of it; a user's may have `image` and `document` among them."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[str | list[dict[str, Any]], Field(description=BLOCKS)]


class Thinking(Body):
    """How a model is to think: then its thoughts are shown."""

    type: str
    budget_tokens: int | None = None


class OutputConfig(Body):
    """How much effort the model is to make, and in what form it answers."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: dict[str, Any] | None = None


class MessagesBody(Body):
    """The body of `POST /v1/messages`."""

    model: str
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)]
    messages: Annotated[list[SentMessage], Field(min_length=1)]
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop_sequences: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    server_tools: list[str] | None = None
    on_disconnect: OnDisconnect | None = "stop"


class TextBlock(TypedDict):
    """A part of the reply."""

    type: Literal["text"]
    text: str


class ThinkingBlock(TypedDict):
    """Thoughts; to be sent back as they are, with the calls that follow."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(TypedDict):
    """Thoughts that nobody may read; to be sent back too."""

    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(TypedDict):
    """A call that the client is to run."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


Block = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock


class UsedTokens(TypedDict):
    """What the reply took."""

    input_tokens: int
    output_tokens: int


class ClaudeMessage(TypedDict):
    """The reply."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Block]
    stop_reason: StopReason | None
    stop_sequence: None
    usage: UsedTokens


class MessageStart(TypedDict):
    """The reply begins, without content."""

    type: Literal["message_start"]
    message: ClaudeMessage


class BlockStart(TypedDict):
    """A block begins."""

    type: Literal["content_block_start"]
    index: int
    content_block: Block


class BlockDelta(TypedDict):
    """A piece of a block: `text_delta`, `thinking_delta`, `signature_delta`, `input_json_delta`."""

    type: Literal["content_block_delta"]
    index: int
    delta: dict[str, str]


class BlockStop(TypedDict):
    """A block is whole."""

    type: Literal["content_block_stop"]
    index: int


class StopDetails(TypedDict):
    """Why the reply ended."""

    stop_reason: StopReason
    stop_sequence: None


class MessageDelta(TypedDict):
    """The end, and the usage of all of it."""

    type: Literal["message_delta"]
    delta: StopDetails
    usage: UsedTokens


class MessageStop(TypedDict):
    """Nothing more comes."""

    type: Literal["message_stop"]


class Ping(TypedDict):
    """The server is there."""

    type: Literal["ping"]


class ClaudeFault(TypedDict):
    """What went wrong."""

    type: str
    message: str


class ClaudeProblem(TypedDict):
    """An answer, or a last event, that is an error."""

    type: Literal["error"]
    error: ClaudeFault
    code: NotRequired[str]
    retryable: NotRequired[bool]


ClaudeEvent = (
    MessageStart
    | BlockStart
    | BlockDelta
    | BlockStop
    | MessageDelta
    | MessageStop
    | Ping
    | ClaudeProblem
)
