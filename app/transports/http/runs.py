"""Runs over HTTP: the record, the events from a cursor on, stop, continue."""

from __future__ import annotations

from typing import cast

from flask import Response, g, request
from typing_extensions import TypedDict

from app.chats.request import ChatRequest
from app.core.entries import seq_of_run
from app.core.errors import BadCursor
from app.core.runs import RunRecord
from app.dialects.frames import Body, OnDisconnect, timestamp
from app.dialects.native import Wanted, check_detach
from app.dialects.native_shapes import (
    AttemptShape,
    CostShape,
    FinishReason,
    PendingAction,
    Status,
    UsageShape,
)
from app.dialects.routes import NATIVE
from app.runs.registry import FoundRun
from app.transports.http.conversations.sessions import pending_of
from app.transports.http.hooks import count
from app.transports.http.streams import detached, stream
from app.transports.openapi.operations import (
    LAST_EVENT_ID,
    OF_A_RUN,
    Answer,
    Content,
    Parameter,
    Routes,
    operation,
    stream_of,
)
from app.transports.services import services

CURSOR = r"^(([^:\s]+:)?[0-9]{1,12})?$"
FROM = (
    LAST_EVENT_ID._replace(
        what="The `id:` of the last event that arrived, or its number; before `after`.",
        schema={"type": "string", "pattern": CURSOR},
    ),
    # No pattern: beside a Last-Event-ID it is not read.
    Parameter("after", "The same; 0 is the start.", {"type": "string"}),
)
SHOWN = (
    Parameter(
        "reasoning",
        "Anything but `false` or `0` shows what a thinking model thinks.",
        {"type": "string", "default": "false"},
    ),
    Parameter(
        "partial",
        "`false` or `0` leaves `partial` out of the events.",
        {"type": "string", "default": "true"},
    ),
    Parameter(
        "stats",
        "Anything but `false` or `0` gives each piece `tokens_per_second` so far.",
        {"type": "string", "default": "false"},
    ),
    Parameter(
        "full_response",
        "`false` or `0` leaves `full_response` out of the end.",
        {"type": "string", "default": "true"},
    ),
    Parameter(
        "tool_deltas",
        "Anything but `false` or `0` shows the arguments of calls as they come.",
        {"type": "string", "default": "false"},
    ),
)
FOLLOWED = Answer("The run's events, to its end.", 200, stream_of(NATIVE), OF_A_RUN)
DETACHED = Answer(
    "With `detach`: the reply has begun.",
    202,
    (Content("application/json", NATIVE.detached),),
    OF_A_RUN,
)
ALREADY_SEEN = Answer("The cursor is at the end of a run that has ended.", 204, (), OF_A_RUN)


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
    pending: list[PendingAction]


class StopReceipt(TypedDict):
    """What a stop did; `upstream_closed` is null where there was no connection to close."""

    run_id: str
    session_id: str
    status: Status
    seq: int
    upstream_closed: bool | None
    stopped_in_ms: float
    usage: UsageShape | None


class ContinueBody(Body):
    """The body of `POST /api/runs/<run_id>/continue`; all of it optional."""

    partial: bool = True
    reasoning: bool = False
    stats: bool = False
    full_response: bool = True
    on_disconnect: OnDisconnect = "continue"
    detach: bool = False


routes = Routes("runs", __name__, "Replies: read, follow, stop, carry on.", "/api/runs")


@routes.get("/<run_id>")
@operation("Read a run", Answer("The run."))
def read_run(run_id: str) -> Run:
    return _record(services().runs.find(g.principal.id, run_id))


@routes.get("/<run_id>/events")
@operation(
    "Follow a run, from a cursor on",
    FOLLOWED,
    ALREADY_SEEN,
    errors=(410, 503),
    parameters=(*FROM, *SHOWN),
)
def read_events(run_id: str) -> Response:
    found = services().runs.find(g.principal.id, run_id)
    return stream(NATIVE, found, _cursor(run_id), wanted_options())


@routes.post("/<run_id>/stop")
@operation("Stop a run", Answer("The receipt; the end of the run is stored."))
def stop_run(run_id: str) -> StopReceipt:
    return cast(StopReceipt, services().runs.stop(g.principal.id, run_id).to_json())


@routes.post("/<run_id>/continue")
@operation("Carry on a reply that did not complete", FOLLOWED, DETACHED, errors=(409, 503))
def continue_run(run_id: str, body: ContinueBody = ContinueBody()) -> Response:
    services().runs.find(g.principal.id, run_id)  # who asks for what is not there loses nothing
    stops = body.on_disconnect == "stop"
    check_detach(body.detach, stops)
    count("stream")
    asked = ChatRequest((), caller=g.caller, dialect=NATIVE.name, stop_when_unwatched=stops)
    found = services().sessions.continue_run(g.principal.id, run_id, asked)
    if body.detach:
        return detached(NATIVE, found, body.model_dump())
    return stream(NATIVE, found, 0, body.model_dump())


def _cursor(run_id: str) -> int:
    """Return where to start: Last-Event-ID, which an EventSource sends on its own, before
    `after`."""
    last_event_id = request.headers.get("Last-Event-ID")
    if last_event_id:
        return seq_of_run(last_event_id, run_id)
    asked = request.args.getlist("after")
    if len(asked) > 1:
        raise BadCursor()
    return seq_of_run(asked[0], run_id) if asked else 0


def wanted_options() -> dict[str, bool]:
    """Return what the query says that events are to have."""
    return {name: _wants(name, default) for name, default in Wanted()._asdict().items()}


def _wants(name: str, default: bool) -> bool:
    asked = request.args.get(name)
    return default if asked is None else asked.lower() not in {"false", "0"}


def _record(found: FoundRun) -> Run:
    record: RunRecord = found.live.record if found.live else found.record
    return {
        "run_id": record.id,
        "session_id": record.session_id,
        "message_id": record.message_id,
        "status": cast(Status, found.status),
        "provider": record.provider,
        "model": record.model,
        "seq": found.log.last_seq,
        "finish_reason": cast(FinishReason | None, record.finish_reason),
        "error": cast(RunFailure | None, record.error),
        "usage": cast(UsageShape, record.usage.to_json()) if record.usage else None,
        "cost": cast(CostShape, record.cost.to_json()) if record.cost else None,
        "attempts": cast(list[AttemptShape], list(record.attempts or ())),
        "duration": record.duration_s,
        "ttft_ms": None if record.ttft_s is None else round(record.ttft_s * 1000, 1),
        "created_at": timestamp(record.created_at),
        "ended_at": None if record.ended_at is None else timestamp(record.ended_at),
        "pending": pending_of(found),
    }
