"""Every route that starts a run, made from the table of dialects: streamed, or whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Flask, Response, g, request

from app.chats.chat_request import check_request
from app.dialects.base import Encoder, Reply, json_line
from app.dialects.plain_text import PlainTextEncoder
from app.dialects.table import ROUTES, Route
from app.runs.errors import StorageUnavailable
from app.runs.run import Run
from app.runs.run_errors import error_for_code
from app.runs.run_log import LogReader
from app.runs.run_service import FoundRun
from app.transports.request_body import read_object
from app.transports.services import Services
from app.transports.viewer import frames


def register(app: Flask, services: Services) -> None:
    """Add a route for each row of the table."""
    for route in ROUTES:
        app.add_url_rule(
            route.path,
            endpoint=f"{route.dialect.name} {route.answer}",
            view_func=_view(route, services),
            methods=["POST"],
            strict_slashes=False,
        )


def _view(route: Route, services: Services) -> Callable[..., Response]:
    dialect = route.dialect

    def start_run() -> Response:
        g.dialect = dialect
        body = read_object(request, services.max_body_bytes)
        spoken = dialect.parse(body)
        asked = replace(
            spoken.request,
            paced=route.answer == "stream",
            dialect=dialect.name,
            caller=g.caller,
        )
        check_request(asked, services.max_message_bytes)
        principal = g.principal
        services.rates.check("stream" if route.answer == "stream" else "chat", g.caller)
        run = services.sessions.start(principal.id, asked)
        reply = Reply(run.record, run.log, principal.name)
        reader = services.runs.follow(FoundRun(run.record, run.log, run))
        if route.answer == "whole":
            return _whole(route, services, run, reader, principal.name)
        if wants_plain_text():
            return stream(
                reply, reader, PlainTextEncoder(), PlainTextEncoder.content_type, services
            )
        encoder = dialect.encoder(reply, 0, spoken.options)
        return stream(reply, reader, encoder, dialect.content_type, services)

    return start_run


def wants_plain_text() -> bool:
    """Whether the client asked for bare text and nothing else."""
    accepted = request.accept_mimetypes
    return accepted.best == "text/plain" and accepted["text/plain"] > accepted["text/event-stream"]


def stream(
    reply: Reply,
    reader: LogReader,
    encoder: Encoder,
    content_type: str,
    services: Services,
) -> Response:
    """Return the answer that follows the run to its end."""
    response = Response(frames(reader, encoder, services.viewers), content_type=content_type)
    response.headers.update(run_headers(reply))
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
    return response


def run_headers(reply: Reply) -> dict[str, str]:
    """Return the headers that name the run and its session."""
    return {"X-Run-Id": reply.record.id, "X-Session-Id": reply.record.session_id}


def _whole(route: Route, services: Services, run: Run, reader: LogReader, user: str) -> Response:
    while not reader.done:
        reader.read()
    end = run.log.end
    assert end is not None
    reply = Reply(run.record, run.log, user)
    if end.data["error"]:
        raise as_error(end.data["error"], run.record.id)
    response = Response(json_line(route.dialect.whole(reply)), mimetype="application/json")
    response.headers.update(run_headers(reply))
    return response


def as_error(data: dict[str, Any], run_id: str) -> Exception:
    """Return the error of a run that failed, with the error id that its end has."""
    error = error_for_code(data["code"])
    error.error_id, error.run_id = data["error_id"], run_id
    if error.http_status == StorageUnavailable.http_status:
        error.retry_after_s = 5
    return error
