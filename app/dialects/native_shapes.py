"""The shapes of the native dialect's requests and answers; /openapi.json is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.dialects.calls import CallParameters
from app.dialects.frames import Id, OnDisconnect, Said

MAX_ATTACHMENTS = 32  # of a message


class NativeBody(CallParameters):
    """The body of `POST /api/chat/stream`, `POST /api/chat` and the event `chat_stream`."""

    message: Said | None = None
    session_id: Id | None = None
    provider: str | None = None
    model: str | None = None
    system: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    partial: bool = True
    reasoning: bool = False
    stats: bool = False
    on_disconnect: OnDisconnect = "continue"
    detach: bool = False
    full_response: bool = True
    when_busy: Literal["reject"] = "reject"
    idempotency_key: str | None = None
    parent_id: str | None = None
    session_must_exist: bool = False
    edit: str | None = None
    regenerate: str | None = None
    tools: list[str | dict[str, Any]] | None = None
    tool_deltas: bool = False
    attachments: Annotated[list[Id], Field(max_length=MAX_ATTACHMENTS)] | None = None


Status = Literal[
    "queued", "running", "requires_action", "completed", "stopped", "failed", "interrupted"
]
FinishReason = Literal[
    "stop", "length", "content_filter", "tool_calls", "stopped", "error", "interrupted"
]


class UsageShape(TypedDict):
    """Tokens in and out."""

    input_tokens: int
    output_tokens: int
    source: Literal["reported", "estimated"]


class CostShape(TypedDict):
    """What a run cost; the amount is a decimal number as text, since JSON's are not exact."""

    amount: str
    currency: str
    estimated: bool


class AttemptShape(TypedDict):
    """A provider that failed before its first piece."""

    provider: str
    model: str
    code: str
    error_id: NotRequired[str]


class TokenEvent(TypedDict):
    """One piece of the reply; `seq` is its cursor."""

    token: str
    count: int
    partial: NotRequired[str]
    tokens_per_second: NotRequired[float]
    run_id: str
    seq: int


class DoneEvent(TypedDict):
    """The end of a reply that completed, or was stopped."""

    done: Literal[True]
    tokens: int
    duration: float
    tokens_per_second: float
    full_response: NotRequired[str]
    user: str
    timestamp: str
    run_id: str
    session_id: str
    seq: int
    finish_reason: FinishReason
    provider: str
    model: str
    usage: UsageShape
    ttft_ms: float | None
    cost: NotRequired[CostShape]
    trimmed: NotRequired[int]
    left_out: NotRequired[list[str]]  # names of files that found no room, or not whole
    attempts: NotRequired[list[AttemptShape]]


class FailedEvent(TypedDict):
    """The end of a reply that did not complete."""

    error: str
    code: str
    error_id: str
    run_id: str
    session_id: str
    seq: int
    finish_reason: FinishReason
    retryable: bool
    details: NotRequired[str]  # what the model's server said, with SHOW_UPSTREAM_ERRORS=1


class StatusEvent(TypedDict):
    """What the run waits for."""

    status: str
    run_id: str
    seq: NotRequired[int]
    age_s: NotRequired[float]
    reasoning: NotRequired[str]
    attempt: NotRequired[int]
    provider: NotRequired[str]
    model: NotRequired[str]


ToolState = Literal[
    "calling",
    "ready",
    "invalid",
    "awaiting_approval",
    "running",
    "done",
    "failed",
    "denied",
    "stopped",
    "unknown",
]


class SourceShape(TypedDict):
    """Where a result is from."""

    url: str
    title: NotRequired[str]


class ToolChange(TypedDict):
    """A call, and what has become of it."""

    n: int
    call_id: str
    name: str
    state: ToolState
    source: NotRequired[str]
    input: NotRequired[dict[str, Any]]
    invalid: NotRequired[str]
    delta: NotRequired[str]
    output: NotRequired[Any]
    error: NotRequired[str]
    reason: NotRequired[str]
    sources: NotRequired[list[SourceShape]]
    preliminary: NotRequired[bool]
    duration_s: NotRequired[float]
    approval_id: NotRequired[str]
    approved: NotRequired[bool]
    answer: NotRequired[Any]
    expires_at: NotRequired[float]
    message: NotRequired[str]
    schema: NotRequired[dict[str, Any]]


class ToolEvent(TypedDict):
    """A change of a call."""

    tool: ToolChange
    run_id: str
    seq: int


class MadeFile(TypedDict):
    """A picture that the model made: an attachment of the user's, by its id."""

    attachment_id: str
    name: str
    media_type: str
    bytes: int
    width: NotRequired[int]
    height: NotRequired[int]


class FileEvent(TypedDict):
    """The model made a picture."""

    file: MadeFile
    run_id: str
    seq: int


class PendingAction(TypedDict):
    """What a run waits for: the result of a call that the client runs, an approval, an answer."""

    n: int
    call_id: str
    name: str
    input: dict[str, Any]
    kind: Literal["result", "approval", "question"]
    expires_at: float
    approval_id: NotRequired[str]
    message: NotRequired[str]
    schema: NotRequired[dict[str, Any]]


class ActionEvent(TypedDict):
    """The end of a stream whose run waits: it goes on, by the same id, once it is answered."""

    requires_action: list[PendingAction]
    run_id: str
    session_id: str
    seq: int


class WaitingAnswer(TypedDict):
    """What there is of a reply that was not streamed, and waits."""

    response: str
    session_id: str
    run_id: str
    requires_action: list[PendingAction]


class DetachedAnswer(TypedDict):
    """The run that nobody follows yet."""

    run_id: str
    session_id: str


class WholeAnswer(TypedDict):
    """The reply that was not streamed."""

    response: str
    session_id: str
    run_id: str
    tokens: int
    duration: float
    tokens_per_second: float
    user: str
    timestamp: str
    finish_reason: FinishReason
    provider: str
    model: str
    usage: UsageShape
    cost: NotRequired[CostShape]
    trimmed: NotRequired[int]
    left_out: NotRequired[list[str]]  # names of files that found no room, or not whole
    attempts: NotRequired[list[AttemptShape]]


class ProblemDetails(TypedDict):
    """What went wrong."""

    code: str
    message: str
    error_id: str
    retryable: bool
    fields: NotRequired[dict[str, str]]
    retry_after_s: NotRequired[int]
    run_id: NotRequired[str]
    details: NotRequired[str]  # what the model's server said, with SHOW_UPSTREAM_ERRORS=1


class Problem(TypedDict):
    """An answer that is an error."""

    error: ProblemDetails
