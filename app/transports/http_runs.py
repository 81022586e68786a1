"""Runs over HTTP: the record, the events from a cursor on, stop."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from app.dialects.base import Reply, json_line, timestamp
from app.dialects.plain_text import PlainTextEncoder
from app.dialects.table import NATIVE
from app.runs.cursor import seq_of_run
from app.runs.errors import BadCursor
from app.runs.records import RunRecord
from app.runs.run_service import FoundRun
from app.transports.http_dialects import run_headers, stream, wants_plain_text
from app.transports.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/runs."""
    routes = Blueprint("runs", __name__, url_prefix="/api/runs")

    @routes.get("/<run_id>", strict_slashes=False)
    def read_run(run_id: str) -> Response:
        found = services.runs.find(g.principal.id, run_id)
        return Response(json_line(_record(found)), mimetype="application/json")

    @routes.get("/<run_id>/events", strict_slashes=False)
    def read_events(run_id: str) -> Response:
        found = services.runs.find(g.principal.id, run_id)
        after = _cursor(run_id)
        found.log.check(after)
        reply = Reply(found.record, found.log, g.principal.name)
        end = found.log.end
        if end is not None and after >= end.seq:
            # 204 is what makes an EventSource stop coming back (WHATWG HTML, server-sent events).
            return Response(status=204, headers=run_headers(reply))
        reader = services.runs.follow(found, after)
        if wants_plain_text():
            return stream(
                reply, reader, PlainTextEncoder(), PlainTextEncoder.content_type, services
            )
        encoder = NATIVE.encoder(reply, after, {"partial": _wants_partial()})
        return stream(reply, reader, encoder, NATIVE.content_type, services)

    @routes.post("/<run_id>/stop", strict_slashes=False)
    def stop_run(run_id: str) -> Response:
        receipt = services.runs.stop(g.principal.id, run_id)
        return Response(json_line(receipt.to_json()), mimetype="application/json")

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


def _wants_partial() -> bool:
    return request.args.get("partial", "true").lower() not in {"false", "0"}


def _record(found: FoundRun) -> dict[str, Any]:
    record: RunRecord = found.live.record if found.live else found.record
    return {
        "run_id": record.id,
        "session_id": record.session_id,
        "message_id": record.message_id,
        "status": record.status,
        "provider": record.provider,
        "model": record.model,
        "seq": found.log.last_seq,
        "finish_reason": record.finish_reason,
        "error": record.error,
        "usage": record.usage.to_json() if record.usage else None,
        "duration": record.duration_s,
        "ttft_ms": None if record.ttft_s is None else round(record.ttft_s * 1000, 1),
        "created_at": timestamp(record.created_at),
        "ended_at": None if record.ended_at is None else timestamp(record.ended_at),
    }
