"""Every route that starts a run, made from the table of dialects: streamed, or whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from flask import Flask, Response, g, jsonify, request

from app.chats.request import ChatRequest, check_request
from app.core.entries import is_content, parse_cursor
from app.core.errors import InvalidRequest, NotFound, StorageUnavailable
from app.core.run_errors import RunError
from app.core.tools import asked_in, pause_before
from app.dialects.dialect import Answers, Spoken
from app.dialects.routes import ROUTES, Route
from app.runs.registry import FoundRun
from app.transports.guards.body import check_weight, read_object
from app.transports.guards.large_bodies import Hold
from app.transports.guards.rates import admission
from app.transports.http.hooks import count
from app.transports.http.streams import (
    LOOK_S,
    answer_headers,
    detached,
    presence,
    reply_of,
    stream,
)
from app.transports.openapi.operations import operation_of
from app.transports.services import services
from app.transports.visits import visit

NOTHING = ChatRequest(())
HOLD_S = 10.0  # how long headers are held for a dialect that wants that


def register(app: Flask) -> None:
    """Add a route for each row of the table; its endpoint begins with the dialect's name."""
    for route in ROUTES:
        endpoint = f"{route.dialect.name} {route.answer}"
        app.add_url_rule(route.path, endpoint, _view(route), methods=["POST"])


def _view(route: Route) -> Callable[..., Response]:
    def start_run(**path: str) -> Response:
        with services().bodies.holding() as hold:
            spoken = _parsed(route, path, hold)
            if request.headers.get("Last-Event-ID"):
                return _resumed(spoken)
            if spoken.answers is not None:
                return _answered(spoken, spoken.answers)
            found = _started(spoken)
            spoken = replace(spoken, request=NOTHING)  # its pictures are where they belong by now
        if spoken.detached:
            return detached(spoken.dialect, found, spoken.options)
        if not spoken.streams:
            return _whole(spoken, found)
        if spoken.dialect.holds_headers:
            _hold_headers(found)
        return stream(spoken.dialect, found, 0, spoken.options)

    start_run.operation = operation_of(route)  # type: ignore[attr-defined]  # read by document.py
    return start_run


def _parsed(route: Route, path: dict[str, str], hold: Hold) -> Spoken:
    """Return what is asked, `streams` too. From here on errors are those of the dialect spoken."""
    dialect, most = route.dialect, services().max_body_bytes
    if dialect.takes_parts:
        body = read_object(request, services().max_parts_body_bytes, hold)
    else:
        body = read_object(request, most)
    asked = {name: request.args[name] for name in dialect.query if name in request.args}
    spoken = hold.run(partial(dialect.parse, {**asked, **body}, path))
    g.dialect = spoken.dialect
    check_weight(hold, spoken.request.weight, most)
    streams = bool(spoken.streams) if route.answer == "asked" else route.answer == "stream"
    return replace(spoken, streams=streams)


def _started(spoken: Spoken) -> FoundRun:
    """Check and admit the request, and start its run, or join the one that its key started."""
    key = request.headers.get("Idempotency-Key", spoken.request.idempotency_key)
    asked = replace(
        spoken.request,
        paced=bool(spoken.streams),
        dialect=spoken.dialect.name,
        caller=g.caller,
        idempotency_key=key,
    )
    check_request(asked, services().max_message_bytes)
    admit = admission(count, "stream" if spoken.streams else "chat")
    return services().sessions.start(g.principal.id, asked, admit).found


def _resumed(spoken: Spoken) -> Response:
    """Answer a POST that is sent again by a client which has seen part of the answer.

    What it names is the run; its body is only asked how to speak. fetch-event-source does this.
    """
    if not spoken.streams:
        raise InvalidRequest({"Last-Event-ID": "only a streamed answer can be resumed"})
    run_id, after = parse_cursor(request.headers["Last-Event-ID"])
    count("read")
    found = services().runs.find(g.principal.id, run_id)
    return stream(spoken.dialect, found, after, spoken.options)


def _answered(spoken: Spoken, answers: Answers) -> Response:
    """Take answers to what a run waits for, those that it has asked for; follow it from there."""
    count("stream")
    owner, sessions = g.principal.id, services().sessions
    run_id = answers.run_id or sessions.run_of(owner, answers.session_id, answers.message_id)
    found = services().runs.find(owner, run_id)
    if found.record.session_id != answers.session_id:
        raise NotFound()
    log = found.log.everything()
    asked = asked_in(log)
    given = answers.replies(services().toolbox.max_result_bytes, g.principal.name)
    replies = [reply for reply in given if (reply.kind, reply.key) in asked]
    pause = pause_before(log, replies)
    if pause is None:
        raise InvalidRequest({answers.field: "has no answer to what this reply has asked for"})
    found = sessions.answer(owner, run_id, replies, g.caller)
    return stream(spoken.dialect, found, pause.seq, spoken.options)


def _hold_headers(found: FoundRun) -> None:
    """Wait for the first piece, so that a run which fails before it is a status. Raises RunError.

    A client that hangs up meanwhile has its run stopped, if that is what leaving does. It is no
    viewer yet: one that goes over to the stream would leave the run unwatched for a moment, which
    is what stops it.
    """
    reader = services().runs.follow(found, heartbeat_s=LOOK_S)
    client = presence()
    deadline = time.monotonic() + HOLD_S
    while time.monotonic() < deadline:
        entries = reader.read()
        if any(is_content(entry.kind) for entry in entries):
            return
        if reader.done:
            return _raise_failure(found)
        if not entries and client.is_gone(asks=True):
            if found.live is not None and found.live.stop_when_unwatched:
                services().runs.stop(g.principal.id, found.record.id)
            return


def _whole(spoken: Spoken, found: FoundRun) -> Response:
    reader = services().runs.follow(found, heartbeat_s=LOOK_S)
    # Who waits for the whole answer is a viewer too.
    with found.watched(), visit("whole", found, reader):
        client = presence()
        while not reader.done:
            if not reader.read() and client.is_gone(asks=True):
                return Response(status=204)  # for nobody
    _raise_failure(found)
    reply = reply_of(found)
    response = jsonify(spoken.dialect.whole(reply, spoken.options))
    response.headers.update(answer_headers(spoken.dialect, reply, spoken.options))
    return response


def _raise_failure(found: FoundRun) -> None:
    """Raise the error of a run that failed, with the error id that its end has."""
    end = found.log.end
    data = end.data["error"] if end is not None else None  # None: it waits
    if not data:
        return
    error = RunError.of_end(data)
    error.run_id = found.record.id
    if error.http_status == StorageUnavailable.http_status:
        error.retry_after_s = 5
    raise error
