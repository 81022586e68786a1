"""Runs as they are stored, how they begin and end, and what a provider is asked. Plain values."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.core.messages import KnownBranch, Message, ProviderMessage
from app.core.sessions import ChatSession
from app.core.usage import Cost, Usage

Status = Literal[
    "queued", "running", "requires_action", "completed", "stopped", "failed", "interrupted"
]
KEY_TTL_S = 86400.0  # how long an idempotency key stands for its run
ENDED: frozenset[str] = frozenset({"completed", "stopped", "failed", "interrupted"})
WAITS: Status = "requires_action"  # for results or answers: no task, no worker, no clock


def new_id() -> str:
    """Return an id nobody can guess: 128 random bits in hex."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: the data of its log's one `end` entry."""

    status: Status
    finish_reason: str
    usage: Usage
    duration_s: float
    ttft_s: float | None = None
    error: Mapping[str, Any] | None = None
    provider: str = ""  # who answered in the end; empty in an end that was stored before there
    model: str = ""  # were others to fall back on
    attempts: Sequence[Mapping[str, Any]] = ()  # those that failed before the one that answered
    cost: Cost | None = None  # None where no price is known
    trimmed: int = 0  # messages that the model was not given, for want of room
    left_out: Sequence[str] = ()  # names of files that it was not given, or not whole

    def to_json(self) -> dict[str, Any]:
        """Return the entry's data."""
        return {
            "status": self.status,
            "finish_reason": self.finish_reason,
            "usage": self.usage.to_json(),
            "duration_s": self.duration_s,
            "ttft_s": self.ttft_s,
            "error": dict(self.error) if self.error else None,
            "provider": self.provider,
            "model": self.model,
            "attempts": list(self.attempts),
            "cost": self.cost.stored() if self.cost else None,
            "trimmed": self.trimmed,
            **({"left_out": list(self.left_out)} if self.left_out else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunEnd:
        """Return the end that `to_json` wrote."""
        cost = data.get("cost")
        usage = Usage.from_json(data["usage"])
        return cls(**{**data, "usage": usage, "cost": Cost(**cost) if cost else None})


@dataclass(frozen=True, slots=True)
class RunPause:
    """What is known of a run that waits; what it waits for."""

    pending: Sequence[Mapping[str, Any]]
    usage: Usage
    duration_s: float  # for which it was under way
    ttft_s: float | None
    provider: str
    model: str
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The stored record of a run. `worker_id` says which process may append to its log."""

    id: str
    owner: str
    session_id: str
    message_id: str
    provider: str
    model: str
    worker_id: str
    created_at: float
    dialect: str = "native"
    status: Status = "queued"
    finish_reason: str | None = None
    error: Mapping[str, Any] | None = None
    usage: Usage | None = None
    duration_s: float | None = None
    ttft_s: float | None = None
    last_seq: int = 0
    ended_at: float | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    folded: bool = False  # its entries are one row now
    attempts: Sequence[Mapping[str, Any]] | None = None  # providers that failed before the answer
    cost: Cost | None = None
    asked: Mapping[str, Any] | None = None  # what a run with tools is gone on with: chats/asked.py
    pending: Sequence[Mapping[str, Any]] | None = None  # what it waits for (core/tools.py)
    waits_until: float | None = None  # the first of these expires then
    options: Mapping[str, Any] | None = None  # what its dialect has to remember of the request
    caller: str = ""  # whom limits count, while it is under way

    @property
    def waits(self) -> bool:
        """Whether it waits for results or answers."""
        return self.status == WAITS

    @property
    def is_going(self) -> bool:
        """Whether it is under way."""
        return self.ended_at is None and not self.waits

    def waiting(self, pause: RunPause, last_seq: int) -> RunRecord:
        """Return the record of the run once it waits."""
        return replace(
            self,
            status=WAITS,
            worker_id="",
            usage=pause.usage,
            cost=pause.cost,
            duration_s=pause.duration_s,
            ttft_s=pause.ttft_s,
            provider=pause.provider or self.provider,
            model=pause.model or self.model,
            pending=list(pause.pending),
            waits_until=min(action["expires_at"] for action in pause.pending),
            last_seq=last_seq,
            caller="",
        )

    def ended(self, end: RunEnd, last_seq: int, at: float) -> RunRecord:
        """Return the record of the run once it has ended so."""
        return replace(
            self,
            status=end.status,
            finish_reason=end.finish_reason,
            error=end.error,
            usage=end.usage,
            duration_s=end.duration_s,
            ttft_s=end.ttft_s,
            last_seq=last_seq,
            ended_at=at,
            provider=end.provider or self.provider,
            model=end.model or self.model,
            attempts=list(end.attempts) or None,
            cost=end.cost,
            pending=None,
            waits_until=None,
            caller="",
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """What a start stores at once: the session if it is new, the caller's messages, the reply, the
    run.

    `messages` become a chain after the session's leaf, or after `parent_id` where that is not
    `at_leaf`; `reply` hangs on the last of them. Without messages the reply is the leaf itself,
    which this run carries on, or a new one beside those that `parent_id` has.
    """

    session: ChatSession
    messages: tuple[Message, ...]
    reply: Message
    run: RunRecord
    at_leaf: bool = True
    parent_id: str | None = None
    must_exist: bool = False  # the session: NotFound instead of a new one
    parent_must_exist: bool = False  # in the session: InvalidRequest that names `parent_id`
    known: KnownBranch | None = None  # what the caller has read of the session before
    most_running: int = 0  # of the run's caller, in all processes; 0: the store need not count

    @property
    def continues(self) -> bool:
        """Whether the run carries on the reply that is there."""
        return self.at_leaf and not self.messages


class AlreadyStarted(Exception):
    """The turn's idempotency key has a run already: join that one."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


@dataclass(slots=True)
class Upstream:
    """A provider's own word on its connection, for a true receipt."""

    opened: bool = False
    closed: bool = False

    @property
    def was_closed(self) -> bool | None:
        """True or False for a connection that was opened, None where there was none."""
        return self.closed if self.opened else None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of a provider for a run. `code` says how it failed before its first piece; None
    that it answered."""

    provider: str
    model: str
    code: str | None = None
    error_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a record keeps it; what is None is left out."""
        kept = {"code": self.code, "error_id": self.error_id}
        said = {name: value for name, value in kept.items() if value is not None}
        return {"provider": self.provider, "model": self.model, **said}


# Without these the answer would be of another kind than the one asked for.
NEVER_IGNORED = frozenset(
    {
        "logprobs",
        "n",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "tool_choice",
        "tools",
        "top_logprobs",
    }
)


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """What a provider is asked. `paced` asks one that has its reply whole to hand it out slowly.

    Who may ask several providers (wrappers/retries.py) adds to `attempts`, in order; the last
    answered, unless all failed.
    """

    messages: tuple[ProviderMessage, ...]
    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    paced: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)  # those that the provider takes
    trimmed: int = 0
    fall_back_whole: bool = False  # ask for a whole reply where streaming fails before a piece
    first_call: int = 1  # the number of the first call that it makes
    upstream: Upstream = field(default_factory=Upstream)
    attempts: list[Attempt] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # files: who has no room for one adds it


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a stop. `upstream_closed` is None where there was no connection to close."""

    run_id: str
    session_id: str
    status: Status
    seq: int
    upstream_closed: bool | None
    stopped_in_ms: float
    usage: Usage | None

    def to_json(self) -> dict[str, Any]:
        """Return the wire's receipt."""
        return {
            "run_id": self.run_id,
            "session_id": self.session_id,
            "status": self.status,
            "seq": self.seq,
            "upstream_closed": self.upstream_closed,
            "stopped_in_ms": self.stopped_in_ms,
            "usage": self.usage.to_json() if self.usage else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Receipt:
        """Return the receipt that `to_json` wrote."""
        usage = data["usage"]
        return cls(**{**data, "usage": Usage.from_json(usage) if usage else None})
