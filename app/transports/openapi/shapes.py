"""The shapes of the answers that no dialect has: the views return them, /openapi.json shows
them."""

from __future__ import annotations

from typing import Literal

from typing_extensions import NotRequired, TypedDict

from app.dialects.native_shapes import AttemptShape, CostShape, FinishReason, Status, UsageShape


class RunFailure(TypedDict):
    """Why a run failed."""

    code: str
    message: str
    error_id: str
    retryable: bool


class Run(TypedDict):
    """One reply; what is known at its end is null until then."""

    run_id: str
    session_id: str
    message_id: str
    status: Status
    provider: str
    model: str
    seq: int
    finish_reason: FinishReason | None
    error: RunFailure | None
    usage: UsageShape | None
    cost: CostShape | None
    attempts: list[AttemptShape]
    duration: float | None
    ttft_ms: float | None
    created_at: str
    ended_at: str | None


class StopReceipt(TypedDict):
    """What a stop did; `upstream_closed` is null where there was no connection to close."""

    run_id: str
    session_id: str
    status: Status
    seq: int
    upstream_closed: bool | None
    stopped_in_ms: float
    usage: UsageShape | None


class ActiveRun(TypedDict):
    """The reply under way, and the newest entry of its log."""

    run_id: str
    seq: int


class Session(TypedDict):
    """A session; `messages` is how many it has."""

    session_id: str
    messages: int
    timestamp: str
    title: str
    system: str | None
    active_run: ActiveRun | None


class Sessions(TypedDict):
    """A page of a user's sessions, the newest first; `next` leads to the one after it."""

    sessions: list[Session]
    next: str | None


class StoredMessage(TypedDict):
    """One message of a session."""

    id: str
    parent_id: str | None
    role: str
    content: str
    status: str
    run_id: str | None
    usage: UsageShape | None
    timestamp: str


class BranchMessage(StoredMessage):
    """A message of the branch in use, with those that hang on the same parent."""

    siblings: list[str]


class StoredMessages(TypedDict):
    """The branch in use, the oldest message first."""

    messages: list[BranchMessage]


class Export(TypedDict):
    """A session with all its branches."""

    session_id: str
    title: str
    system: str | None
    created_at: str
    updated_at: str
    leaf_id: str | None
    messages: list[StoredMessage]


class SessionsDeleted(TypedDict):
    """All of a user's sessions are gone."""

    success: Literal[True]
    deleted: int


class ProviderChoice(TypedDict):
    """A provider: its model, or the setting that it lacks."""

    name: str
    model: str | None
    ready: bool
    missing: str | None


class ProviderChoices(TypedDict):
    """Who can be asked; `default` answers where a request names nobody."""

    default: str
    providers: list[ProviderChoice]


class UsedSums(TypedDict):
    """What replies used."""

    runs: int
    input_tokens: int
    output_tokens: int
    source: Literal["reported", "estimated"]
    cost: CostShape | None


class UsedOfModel(UsedSums):
    """What replies of one model used."""

    provider: str
    model: str


class UsedInSession(TypedDict):
    """What the replies of a session used."""

    session_id: str
    total: UsedSums
    models: list[UsedOfModel]


class UsedInDay(TypedDict):
    """What replies that ended on a day used; the day is UTC's."""

    day: str
    total: UsedSums
    models: list[UsedOfModel]


class UsedByUser(TypedDict):
    """What a user's replies used, in all and on each day."""

    user: str
    total: UsedSums
    models: list[UsedOfModel]
    days: list[UsedInDay]


class SessionDeleted(TypedDict):
    """A session is gone."""

    success: Literal[True]
    message: str


class RunNews(TypedDict):
    """A run started, or ended; `status` is told at its end."""

    run_id: str
    session_id: str
    seq: int
    status: NotRequired[Status]


class SessionRow(TypedDict):
    """A session, as the dialect of seed 002 has it."""

    id: str
    title: str
    created_at: str
    updated_at: str
    message_count: int


class Model(TypedDict):
    """A model, as OpenAI has it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(TypedDict):
    """Each provider's own model."""

    object: Literal["list"]
    data: list[Model]


class Health(TypedDict):
    """Whether the server is in service."""

    status: Literal["ok", "unavailable"]


class RunCounts(TypedDict):
    """Replies: going, about to start, and ended since the start."""

    running: int
    queued: int
    ended: int


class SessionCounts(TypedDict):
    """Sessions in use and stored; `stored` is null while the store fails."""

    in_memory: int
    stored: int | None


class ViewerCount(TypedDict):
    """Who follows a run or session, by transport."""

    sse: int
    socket: int


class RunDetails(TypedDict):
    """A reply under way, for an operator."""

    run_id: str
    owner: str
    session_id: str
    provider: str
    model: str
    seq: int
    age_s: float


class ServerStatus(TypedDict):
    """Counts since the start; `details` for a token whose claim `admin` is true."""

    version: str
    uptime_s: float
    async_mode: str
    store: str
    providers: list[str]
    runs: RunCounts
    sessions: SessionCounts
    tasks: int
    viewers: ViewerCount
    errors: dict[str, int]
    details: NotRequired[list[RunDetails]]
