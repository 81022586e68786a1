"""The answers that follow a run, for every route that has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g, request

from app.dialects.dialect import Dialect, Encoder, Reply
from app.dialects.plain_text import PlainTextEncoder
from app.runs.service import FoundRun
from app.transports.services import Services
from app.transports.viewer import frames, looks_between_heartbeats


def reply_of(found: FoundRun, user: str) -> Reply:
    """Return the run as an encoder wants it."""
    record = found.live.record if found.live else found.record
    return Reply(record, found.log, user)


def answer_headers(dialect: Dialect, reply: Reply, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that name the run and its session, and the dialect's own."""
    record = reply.record
    named = {"X-Run-Id": record.id, "X-Session-Id": record.session_id}
    return {**named, **dialect.headers(reply, options)}


def stream(
    services: Services, dialect: Dialect, found: FoundRun, after: int, options: Mapping[str, Any]
) -> Response:
    """Return the answer that follows the run from `after` to its end. Raises BadCursor,
    LogReset."""
    found.log.check(after)
    reply = reply_of(found, g.principal.name)
    headers = answer_headers(dialect, reply, options)
    end = found.log.end
    if end is not None and after >= end.seq:
        # 204 is what makes an EventSource stop coming back (WHATWG HTML, server-sent events).
        return Response(status=204, headers=headers)
    encoder: Encoder
    if _wants_plain_text():
        encoder, content_type = PlainTextEncoder(), PlainTextEncoder.content_type
    else:
        encoder, content_type = dialect.encoder(reply, after, options), dialect.content_type
    heartbeat_s = services.runs.limits.heartbeat_s
    looks = looks_between_heartbeats(found, heartbeat_s)
    reader = services.runs.follow(found, after, heartbeat_s / looks)
    body = frames(
        found,
        reader,
        encoder,
        services.viewers,
        has_hung_up(),
        lambda: services.runs.age_s(found),
        looks,
    )
    response = event_stream(body, content_type)
    response.headers.update(headers)
    return response


def event_stream(body: Any, content_type: str) -> Response:
    """Return an answer that leaves piece by piece, through proxies too."""
    # Passed on as it is: the library's own iterators check and count each piece.
    response = Response(body, content_type=content_type, direct_passthrough=True)
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
    return response


def has_hung_up() -> Callable[[], bool]:
    """Return what tells whether the client of this request has closed its connection."""
    asked: Callable[[], bool] = request.environ.get("tandem.has_hung_up", lambda: False)
    return asked


def _wants_plain_text() -> bool:
    """Whether the client asked for bare text and nothing else."""
    accepted = request.accept_mimetypes
    return accepted.best == "text/plain" and accepted["text/plain"] > accepted["text/event-stream"]
