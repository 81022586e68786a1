"""The shapes that the native dialect answers in; /openapi.json is made of them."""

from __future__ import annotations

from typing import Literal

from typing_extensions import NotRequired, TypedDict

Status = Literal["queued", "running", "completed", "stopped", "failed", "interrupted"]
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
