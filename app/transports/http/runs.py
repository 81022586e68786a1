"""Runs over HTTP: the record, the events from a cursor on, stop."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from app.chats.request import ChatRequest
from app.core.cursor import seq_of_run
from app.core.errors import BadCursor
from app.core.runs import RunRecord
from app.dialects.frames import Body, timestamp, validated
from app.dialects.native_shapes import AttemptShape, CostShape, FinishReason, UsageShape
from app.dialects.routes import NATIVE
from app.runs.service import FoundRun
from app.transports.guards.body import read_optional_object
from app.transports.http.streams import stream
from app.transports.openapi.operations import (
    LAST_EVENT_ID,
    OF_A_RUN,
    Answer,
    Operation,
    Parameter,
    answered,
    stream_of,
)
from app.transports.openapi.shapes import Run, RunFailure, StopReceipt
from app.transports.services import Services


class ContinueBody(Body):
    """The body of `POST /api/runs/<run_id>/continue`; all of it optional."""

    partial: bool = True
    reasoning: bool = False


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/runs."""
    routes = Blueprint("runs", __name__, url_prefix="/api/runs")

    @routes.get("/<run_id>")
    def read_run(run_id: str) -> ResponseReturnValue:
        found = services.runs.find(g.principal.id, run_id)
        return _record(found)

    @routes.get("/<run_id>/events")
    def read_events(run_id: str) -> ResponseReturnValue:
        found = services.runs.find(g.principal.id, run_id)
        options = {"partial": _wants("partial", True), "reasoning": _wants("reasoning", False)}
        return stream(services, NATIVE, found, _cursor(run_id), options)

    @routes.post("/<run_id>/stop")
    def stop_run(run_id: str) -> ResponseReturnValue:
        receipt = services.runs.stop(g.principal.id, run_id)
        return receipt.to_json()

    @routes.post("/<run_id>/continue")
    def continue_run(run_id: str) -> ResponseReturnValue:
        wanted = validated(ContinueBody, read_optional_object(request, services.max_body_bytes))
        services.runs.find(g.principal.id, run_id)  # who asks for what is not there loses nothing
        services.rates.check("stream", g.caller)
        asked = ChatRequest((), caller=g.caller, dialect=NATIVE.name)
        found = services.sessions.continue_run(g.principal.id, run_id, asked)
        return stream(services, NATIVE, found, 0, wanted.model_dump())

    return routes


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


def _wants(name: str, default: bool) -> bool:
    asked = request.args.get(name)
    return default if asked is None else asked.lower() not in {"false", "0"}


def _record(found: FoundRun) -> Run:
    record: RunRecord = found.live.record if found.live else found.record
    return {
        "run_id": record.id,
        "session_id": record.session_id,
        "message_id": record.message_id,
        "status": record.status,
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
    }


CURSOR = r"^(([^:\s]+:)?[0-9]{1,12})?$"
FOLLOWS = (
    Answer(200, "The run's events, to its end.", stream_of(NATIVE), OF_A_RUN),
    Answer(204, "The cursor is at the end of a run that has ended.", (), OF_A_RUN),
)
OPERATIONS = {
    "runs.read_run": Operation("Read a run", answered(Run, "The run."), (404, 503)),
    "runs.read_events": Operation(
        "Follow a run, from a cursor on",
        FOLLOWS,
        (404, 410, 503),
        parameters=(
            LAST_EVENT_ID._replace(
                what="The `id:` of the last event that arrived, or its number; before `after`.",
                schema={"type": "string", "pattern": CURSOR},
            ),
            # No pattern: beside a Last-Event-ID it is not read.
            Parameter("after", "query", "The same; 0 is the start.", {"type": "string"}),
            Parameter(
                "reasoning",
                "query",
                "Anything but `false` or `0` shows what a thinking model thinks.",
                {"type": "string", "default": "false"},
            ),
            Parameter(
                "partial",
                "query",
                "`false` or `0` leaves `partial` out of the events.",
                {"type": "string", "default": "true"},
            ),
        ),
    ),
    "runs.stop_run": Operation(
        "Stop a run",
        answered(StopReceipt, "The receipt; the end of the run is stored."),
        (404, 503),
    ),
    "runs.continue_run": Operation(
        "Carry on a reply that did not complete",
        FOLLOWS[:1],
        (404, 409, 503),
        body=ContinueBody,
        body_needed=False,
    ),
}
