"""Every route that starts a run, made from the table of dialects: streamed, or whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flask import Flask, Response, g, request

from app.chats.chat_request import check_request
from app.dialects.base import json_line
from app.dialects.table import ROUTES, Route
from app.runs.cursor import parse_cursor
from app.runs.errors import InvalidRequest, StorageUnavailable
from app.runs.run_errors import RunError, error_for_code
from app.runs.run_service import FoundRun
from app.transports.answers import has_hung_up, reply_of, run_headers, stream
from app.transports.request_body import read_object
from app.transports.services import Services
from app.transports.viewer import watching


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
    kind = "stream" if route.answer == "stream" else "chat"

    def start_run() -> Response:
        g.dialect = dialect
        body = read_object(request, services.max_body_bytes)
        last_event_id = request.headers.get("Last-Event-ID")
        if last_event_id:
            return _resumed(route, services, last_event_id, body)
        spoken = dialect.parse(body)
        asked = replace(
            spoken.request,
            paced=route.answer == "stream",
            dialect=dialect.name,
            caller=g.caller,
            idempotency_key=request.headers.get("Idempotency-Key", spoken.request.idempotency_key),
        )
        check_request(asked, services.max_message_bytes)
        started = services.sessions.start(
            g.principal.id, asked, lambda joins: services.rates.check(_kind(joins, kind), g.caller)
        )
        if route.answer == "whole":
            return _whole(route, services, started.found)
        return stream(services, dialect, started.found, 0, spoken.options)

    return start_run


def _kind(joins: bool, kind: Any) -> Any:
    return "read" if joins else kind


def _resumed(
    route: Route, services: Services, last_event_id: str, body: Mapping[str, Any]
) -> Response:
    """Answer a POST that is sent again by a client which has seen part of the answer.

    What it names is the run; its body is only asked how to speak. fetch-event-source does this.
    """
    if route.answer == "whole":
        raise InvalidRequest({"Last-Event-ID": "only a streamed answer can be resumed"})
    run_id, after = parse_cursor(last_event_id)
    services.rates.check("read", g.caller)
    found = services.runs.find(g.principal.id, run_id)
    return stream(services, route.dialect, found, after, route.dialect.parse(body).options)


def _whole(route: Route, services: Services, found: FoundRun) -> Response:
    reader = services.runs.follow(found)
    with watching(found):  # who waits for the whole answer is a viewer too
        gone = has_hung_up()
        while not reader.done:
            if not reader.read() and gone():
                return Response(status=204)  # for nobody
    end = found.log.end
    assert end is not None
    if end.data["error"]:
        raise _as_error(end.data["error"], found.record.id)
    reply = reply_of(found, g.principal.name)
    response = Response(json_line(route.dialect.whole(reply)), mimetype="application/json")
    response.headers.update(run_headers(found))
    return response


def _as_error(data: Mapping[str, Any], run_id: str) -> RunError:
    """Return the error of a run that failed, with the error id that its end has."""
    error = error_for_code(data["code"])
    error.error_id, error.run_id = data["error_id"], run_id
    if error.http_status == StorageUnavailable.http_status:
        error.retry_after_s = 5
    return error
