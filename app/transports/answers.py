"""The answers that follow a run, for every route that has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g, request

from app.dialects.base import Dialect, Encoder, Reply
from app.dialects.plain_text import PlainTextEncoder
from app.runs.run_service import FoundRun
from app.transports.services import Services
from app.transports.viewer import frames


def reply_of(found: FoundRun, user: str) -> Reply:
    """Return the run as an encoder wants it."""
    record = found.live.record if found.live else found.record
    return Reply(record, found.log, user)


def run_headers(found: FoundRun) -> dict[str, str]:
    """Return the headers that name the run and its session."""
    return {"X-Run-Id": found.record.id, "X-Session-Id": found.record.session_id}


def stream(
    services: Services, dialect: Dialect, found: FoundRun, after: int, options: Mapping[str, Any]
) -> Response:
    """Return the answer that follows the run from `after` to its end. Raises BadCursor,
    LogReset."""
    found.log.check(after)
    end = found.log.end
    if end is not None and after >= end.seq:
        # 204 is what makes an EventSource stop coming back (WHATWG HTML, server-sent events).
        return Response(status=204, headers=run_headers(found))
    encoder: Encoder
    if _wants_plain_text():
        encoder, content_type = PlainTextEncoder(), PlainTextEncoder.content_type
    else:
        encoder = dialect.encoder(reply_of(found, g.principal.name), after, options)
        content_type = dialect.content_type
    reader = services.runs.follow(found, after)
    body = frames(found, reader, encoder, services.viewers, has_hung_up())
    return event_stream(body, content_type, found)


def event_stream(body: Any, content_type: str, found: FoundRun | None = None) -> Response:
    """Return an answer that leaves piece by piece, through proxies too."""
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
    if found is not None:
        response.headers.update(run_headers(found))
    return response


def has_hung_up() -> Callable[[], bool]:
    """Return what tells whether the client of this request has closed its connection."""
    asked: Callable[[], bool] = request.environ.get("tandem.has_hung_up", lambda: False)
    return asked


def _wants_plain_text() -> bool:
    """Whether the client asked for bare text and nothing else."""
    accepted = request.accept_mimetypes
    return accepted.best == "text/plain" and accepted["text/plain"] > accepted["text/event-stream"]
